/**
 * Runs a workflow over several worker processes while workers, brokers and the network fail, and judges the result by
 * two independent readers.
 *
 * Guarantees: the faults are drawn from the seed. Every fault ends before the next one begins. A difference is thrown
 * with the seed and the numbers that are missing or doubled.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from 'millrace';
import { kafka } from 'millrace/kafka';
import { createRun, deleteRun, stagesOf, type SpreadOptions } from 'millrace/lanes';
import { openClient } from '#lib/connectors/kafka/raw-client.js';
import { recordsOf } from '#lib/lanes/lane-past.js';
import type { Cluster, ClusterNode } from '../kafka/cluster.js';
import { END_TXN } from '../kafka/fault-proxy.js';
import type { TestCluster } from '../kafka/test-cluster.js';
import { ChaosFlow, isBad } from './chaos-flow.js';

const WORKER = new URL('../lanes/worker-victim.js', import.meta.url).pathname;
const FLOW = new URL('./chaos-flow.js', import.meta.url).pathname;
const PARTITIONS = 3;
const KEYS = 12;
/** Longer than the session of a worker. */
const STOPPED_MS = 8000;

/** A fault. The numbers are those of the scenarios in docs/kafka-lanes.md. */
export type Fault =
  | 'kill a worker'
  | 'add and drain workers'
  | 'suspend a worker'
  | 'kill a broker'
  | 'restart a broker'
  | 'kill the coordinators'
  | 'move leaders'
  | 'reset connections'
  | 'delay answers'
  | 'silence a broker'
  | 'lose answers to EndTxn';

/** Faults that one broker can survive. */
export const WITH_ONE_BROKER: readonly Fault[] = [
  ...(['kill a worker', 'add and drain workers', 'suspend a worker', 'reset connections'] as const),
  ...(['delay answers', 'silence a broker', 'lose answers to EndTxn'] as const),
];
export const WITH_THREE_BROKERS: readonly Fault[] = [
  ...WITH_ONE_BROKER,
  ...(['kill a broker', 'restart a broker', 'kill the coordinators', 'move leaders'] as const),
];

export interface ChaosOptions {
  readonly cluster: Cluster;
  readonly test: TestCluster;
  readonly seed: number;
  readonly records: number;
  /** The milliseconds of the slowest work, divided by four. */
  readonly workMs: number;
  /** The faults to draw from; with `isOnce` each of them once, in their order. */
  readonly faults: readonly Fault[];
  readonly isOnce?: boolean;
  /**
   * The number of faults for each of which a part of the records waits, so that they happen in the middle of the run on
   * any machine. Default: 0.
   */
  readonly awaited?: number;
  /** The most milliseconds between two faults. Default 1,700. */
  readonly pauseMs?: number;
}

export interface ChaosFigures {
  readonly faults: Readonly<Record<string, number>>;
  readonly records: number;
  /** Workers that ended with an error and were started again. */
  readonly restarts: number;
  readonly elapsedMs: number;
}

interface Worker {
  readonly process: ChildProcess;
  readonly over: Promise<void>;
  hasSeenEnd: boolean;
  isOver: boolean;
  reported: string;
}

let runs = 0;

export async function chaos(options: ChaosOptions): Promise<ChaosFigures> {
  const startedAt = performance.now();
  const { cluster, test, seed, records, workMs, faults, isOnce = false, awaited = 0, pauseMs = 1700 } = options;
  const random = seededRandom(seed);
  const numbers = [...new Array<undefined>(records).keys()];
  const [from, to] = [await test.topic(2), await test.topic(2)];
  await test.write(
    from,
    numbers.map((n) => ({ key: `k${n % KEYS}`, value: JSON.stringify({ k: `k${n % KEYS}`, n }), partition: n % 2 })),
  );
  const folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-'));
  const gate = awaited > 0 ? join(folder, 'gate') : '';
  /** Lets another part of the records go on after so many faults. */
  const release = (faultsOver: number): void => {
    if (awaited > 0) writeFileSync(gate, String(Math.ceil(((faultsOver + 1) / (awaited + 1)) * records)));
  };
  release(0);
  const config = { brokers: [...cluster.brokers], from, to, workMs, hasOwn: random() < 0.5, gate };
  const run: SpreadOptions = {
    ...{ workflow: ChaosFlow.prepare(config), cluster: kafka({ brokers: cluster.brokers }) },
    ...{ runId: `chaos-${seed}-${++runs}-${process.pid}`, partitions: PARTITIONS },
  };
  await createRun(run);
  const workers: Worker[] = [];
  const start = (): void => {
    workers.push(startWorkerOf(cluster, run.runId, config));
  };
  start();
  start();
  const counts: Record<string, number> = {};
  const history: string[] = [];
  let restarts = 0;
  const isOver = (): boolean => workers.some(({ hasSeenEnd }) => hasSeenEnd);
  const running = (): Worker[] => workers.filter((worker) => !worker.isOver);
  const left = [...faults];
  try {
    while (!isOver()) {
      await Promise.race([sleep(pauseMs * (0.1 + 0.9 * random())), ...running().map(({ over }) => over)]);
      const failed = running().length < 2 && !isOver();
      for (const worker of workers.splice(0)) {
        if (!worker.isOver || worker.hasSeenEnd) workers.push(worker);
        else if (failed) restarts++;
      }
      while (running().length < 2 && !isOver()) start();
      if (isOver() || (isOnce && left.length === 0)) continue;
      const fault = isOnce ? (left.shift() as Fault) : (faults[Math.floor(random() * faults.length)] as Fault);
      counts[fault] = (counts[fault] ?? 0) + 1;
      history.push(fault);
      const node = cluster.nodes[Math.floor(random() * cluster.nodes.length)] as ClusterNode;
      const victim = running()[Math.floor(random() * running().length)];
      await inject(fault, { cluster, node, victim, start, random, test, to, group: stagesOf(run).group });
      release(history.length);
    }
    for (const worker of running()) worker.process.kill('SIGTERM');
    await Promise.all(workers.map(({ over }) => over));
  } catch (error) {
    for (const worker of running()) worker.process.kill('SIGKILL');
    throw error;
  } finally {
    for (const { proxy } of cluster.nodes) proxy.recover();
    rmSync(folder, { recursive: true });
  }
  await judge(options, run, numbers, to).catch((error: unknown) => {
    throw new Error(`${String(error)}; after ${history.join(', ')}`, { cause: error });
  });
  await deleteRun(run);
  return { faults: counts, records, restarts, elapsedMs: performance.now() - startedAt };
}

interface Surroundings {
  readonly node: ClusterNode;
  readonly victim: Worker | undefined;
  readonly cluster: Cluster;
  readonly start: () => void;
  readonly random: () => number;
  readonly test: TestCluster;
  /** The topic of the output. */
  readonly to: string;
  /** The group of the workers. */
  readonly group: string;
}

async function inject(fault: Fault, surroundings: Surroundings): Promise<void> {
  const { cluster, node, victim, start, random, test, to, group } = surroundings;
  switch (fault) {
    case 'kill a worker':
      victim?.process.kill('SIGKILL');
      await victim?.over;
      return;
    case 'add and drain workers':
      start();
      await sleep(500 + random() * 1000);
      victim?.process.kill('SIGTERM');
      return;
    case 'suspend a worker':
      victim?.process.kill('SIGSTOP');
      await sleep(STOPPED_MS);
      victim?.process.kill('SIGCONT');
      return;
    case 'kill a broker':
      await node.kill();
      await sleep(random() * 3000);
      await node.restart();
      return;
    case 'restart a broker':
      await node.shutDown();
      await node.restart();
      return;
    case 'kill the coordinators':
      for (const [of, name] of [
        ['transaction', `${group}.0`],
        ['group', group],
      ] as const) {
        const owner = cluster.nodes[(await test.coordinator(of, name)) - 1] as ClusterNode;
        await owner.kill();
        await sleep(random() * 1000);
        await owner.restart();
      }
      return;
    case 'move leaders':
      await test.moveLeaders(to);
      return;
    case 'reset connections':
      node.proxy.reset();
      return;
    case 'delay answers':
      node.proxy.delay(100 + random() * 300);
      await sleep(2000);
      node.proxy.recover();
      return;
    case 'silence a broker':
      node.proxy.silence();
      await sleep(500 + random() * 3000);
      node.proxy.recover();
      return;
    case 'lose answers to EndTxn':
      node.proxy.loseAnswers(END_TXN, 1 + Math.floor(random() * 3));
      await sleep(1500);
      // Whoever waits for a lost answer asks again on another connection.
      node.proxy.reset();
      node.proxy.recover();
  }
}

function startWorkerOf(cluster: Cluster, runId: string, config: object): Worker {
  const args = [
    WORKER,
    cluster.brokers.join(','),
    runId,
    FLOW,
    'ChaosFlow',
    JSON.stringify(config),
    String(PARTITIONS),
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const worker: Worker = {
    process: child,
    over: once(child, 'close').then(() => {
      worker.isOver = true;
    }),
    ...{ hasSeenEnd: false, isOver: false, reported: '' },
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (text.includes('over')) worker.hasSeenEnd = true;
  });
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (worker.reported = (worker.reported + text).slice(-4000)));
  return worker;
}

/** Throws if a record is missing or doubled, for the independent reader or for ours. */
async function judge(
  { test, seed }: ChaosOptions,
  run: SpreadOptions,
  numbers: readonly number[],
  to: string,
): Promise<void> {
  const good = numbers.filter((n) => !isBad(n));
  const seen = await test.read(to);
  const values = seen.map(({ value }) => JSON.parse(value as string) as { k: string; n: number; sum: number });
  const faults = [
    differenceOf(
      'rows, for kafkajs',
      values.map(({ n }) => n),
      good,
    ),
  ];
  const { letterTopic } = stagesOf(run);
  const client = await openClient(run.cluster);
  try {
    const own: number[] = [];
    const out = await client.describe(to);
    for (let partition = 0; partition < out.partitions; partition++) {
      for await (const { key, value } of recordsOf(client, out, partition, 30_000)) {
        if (String(Buffer.from(key ?? [])) === '(end)') continue;
        own.push((JSON.parse(Buffer.from(value ?? []).toString()) as { n: number }).n);
      }
    }
    faults.push(differenceOf('rows, for our reader', own, good));
    const letters: number[] = [];
    for await (const { value } of recordsOf(client, await client.describe(letterTopic), 0, 30_000)) {
      letters.push((JSON.parse(Buffer.from(value ?? []).toString()) as { record: { n: number } }).record.n);
    }
    faults.push(differenceOf('dead letters', letters, numbers.filter(isBad)));
    const open = (await client.transactions()).filter(
      ({ transactionalId, isOpen }) => isOpen && transactionalId.includes(run.runId),
    );
    if (open.length > 0) faults.push(`${open.length} transactions of the run are left open`);
  } finally {
    await client.close();
  }
  // The state of a key counts each of its records once: the last sum is that of all of them.
  for (const k of new Set(values.map(({ k }) => k))) {
    const all = values.filter((one) => one.k === k);
    const sum = all.reduce((total, { n }) => total + n, 0);
    if (all.at(-1)?.sum !== sum) {
      faults.push(`the state of '${k}' ended with ${String(all.at(-1)?.sum)} instead of ${sum}`);
    }
  }
  const found = faults.filter((fault) => fault !== undefined);
  if (found.length === 0) return;
  const evidence = (await test.batches(to)).map((batch) => JSON.stringify(batch));
  throw new Error(`Seed ${seed}: ${found.join('; ')}; the log is\n${evidence.join('\n')}\n`);
}

/** A sentence about the numbers that are missing, doubled or foreign; undefined if there are none. */
function differenceOf(what: string, found: readonly number[], expected: readonly number[]): string | undefined {
  const counts = new Map<number, number>();
  for (const n of found) counts.set(n, (counts.get(n) ?? 0) + 1);
  const missing = expected.filter((n) => !counts.has(n));
  const doubled = [...counts].flatMap(([n, count]) => (count > 1 ? [n] : []));
  const wanted = new Set(expected);
  const foreign = [...counts.keys()].filter((n) => !wanted.has(n));
  if (missing.length + doubled.length + foreign.length === 0) return undefined;
  const some = (numbers: readonly number[]): string => `${numbers.length} (${numbers.slice(0, 10).join(', ')})`;
  return `${what}: ${some(missing)} missing, ${some(doubled)} doubled, ${some(foreign)} that should not be there`;
}
