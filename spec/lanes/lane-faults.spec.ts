/**
 * Faults of workers, topics and records, on a real broker: each record is once in the output, or once in the dead
 * letters, for two independent readers. docs/kafka-lanes.md lists the scenarios.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { seededRandom } from 'millrace';
import { createRun, startWorker, type SpreadOptions, type WorkerEvent } from 'millrace/lanes';
import { openClient } from '#lib/connectors/kafka/raw-client.js';
import { valuesOf } from '../kafka/both-readers.js';
import { describeWithBroker } from '../kafka/with-broker.js';
import { calls, FaultFlow, type Item } from './fault-flow.js';

const SEED = Number(process.env['MILLRACE_KAFKA_SEED'] ?? 1);
const VICTIM = new URL('./worker-victim.js', import.meta.url).pathname;
const FLOW = new URL('./fault-flow.js', import.meta.url).pathname;
const PARTITIONS = 4;
/** Longer than the session of a worker on the broker of the specs. */
const LONG_MS = 7500;

describeWithBroker('a run in lanes', (broker) => {
  const numbers = (count: number): number[] => [...new Array<undefined>(count).keys()];
  const ofItem = (n: number): { key: string; value: string; partition: number } => ({
    ...{ key: `k${n % 12}`, value: JSON.stringify({ k: `k${n % 12}`, n }), partition: n % 2 },
  });
  const seen = async (topic: string): Promise<number[]> =>
    (await valuesOf(broker(), broker().cluster, topic))
      .map((value) => (JSON.parse(value) as Item).n)
      .sort((a, b) => a - b);

  /** Creates a run over the records. */
  const runOf = async (
    records: readonly { value: string | null; partition: number }[],
    settings: { workMs: number; slowMs?: number; loop?: string; hasOwn?: boolean },
  ): Promise<{ options: SpreadOptions; config: { from: string; to: string } & object; edge: string }> => {
    const [from, to] = [await broker().topic(2), await broker().topic(2)];
    await broker().write(from, records);
    const config = { broker: broker().address, from, to, ...settings };
    const workflow = FaultFlow.prepare(config);
    const options = { workflow, cluster: broker().cluster, runId: from, partitions: PARTITIONS };
    await createRun(options);
    return { options, config, edge: `millrace.FaultFlow.${from}.Spread` };
  };

  it('repeats no call while workers come and go, also one that takes longer than a session', async () => {
    const random = seededRandom(SEED);
    const all = numbers(300);
    calls.clear();
    const { options, config } = await runOf(all.map(ofItem), { workMs: 40, slowMs: LONG_MS });
    const events: WorkerEvent[] = [];
    const start = (): ReturnType<typeof startWorker> =>
      startWorker({ ...options, onEvent: (event) => events.push(event) });
    const first = start();
    await until(() => calls.size > 8);
    const others = [start(), start()];
    // On a busy machine the first worker may be done before the others have their lanes.
    let isOver = false;
    void first.finished.then(() => (isOver = true));
    await until(() => isOver || events.some(({ type }) => type === 'given-up'));
    await sleep(random() * 300);
    others[1]?.stop();
    expect(await others[1]?.finished).toMatchObject({ outcome: expect.stringMatching(/stopped|completed/) as unknown });
    await Promise.all([first.finished, others[0]?.finished]);
    expect(await seen(config.to)).toEqual(all);
    expect([...calls.values()].filter((times) => times !== 1)).toEqual([]);
  }, 120_000);

  it('continues elsewhere while a worker is suspended and another one never returns to its event loop', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-lane-faults-'));
    const all = numbers(600);
    const loop = join(folder, 'loop');
    const { options, config } = await runOf(all.map(ofItem), { workMs: 60, slowMs: LONG_MS, loop });
    const workers = numbers(3).map(() => {
      const args = [
        VICTIM,
        broker().address,
        options.runId,
        FLOW,
        'FaultFlow',
        JSON.stringify(config),
        `${PARTITIONS}`,
      ];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
      const told = { errors: '' };
      child.stderr.setEncoding('utf8').on('data', (text: string) => (told.errors += text));
      return { child, told, over: once(child, 'exit') as Promise<[number | null]> };
    });
    try {
      const pid = await content(loop);
      const victim = workers.find(({ child }) => String(child.pid) !== pid)?.child as ChildProcess;
      victim.kill('SIGSTOP');
      await sleep(LONG_MS);
      victim.kill('SIGCONT');
      for (const { over, told } of workers) expect([...(await over), told.errors]).toEqual([0, null, told.errors]);
      expect(await seen(config.to)).toEqual(all);
      expect(workers.map(({ told }) => told.errors).join('')).toMatch(/given-up|failed/);
    } finally {
      for (const { child } of workers) child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    }
  }, 120_000);

  it.each([false, true])('writes its rows in transactions of their own only where they must be: %s', async (hasOwn) => {
    const all = numbers(60);
    const { options, config } = await runOf(all.map(ofItem), { workMs: 0, hasOwn });
    await startWorker(options).finished;
    expect(await seen(config.to)).toEqual(all);
    const client = await openClient(broker().cluster);
    const ids = (await client.transactions()).map(({ transactionalId }) => transactionalId);
    await client.close();
    const own = ids.filter((id) => id.includes(options.runId) && id.endsWith('-Out'));
    expect(own.length > 0).toBe(hasOwn);
  });

  it('ends each kind of poison as one dead letter, in the transaction in which its offset moves on', async () => {
    const all = numbers(60);
    const poison = [
      ...['', '{"k":', '{"k":"a"}', '[]', '{"k":"bad","n":-1}'].map((value) => ({ value, partition: 1 })),
      { value: null, partition: 0 },
      { value: '{"k":1,"n":2}', partition: 0, headers: { twice: ['a', 'b'] } },
    ];
    const good = { value: '{"k":"a","n":60}', partition: 1, headers: { twice: ['a', 'b'], empty: '' } };
    const records = [...all.slice(0, 30).map(ofItem), ...poison, good, ...all.slice(30).map(ofItem)];
    const { options, config } = await runOf(records, { workMs: 0 });
    expect(await startWorker(options).finished).toEqual({ outcome: 'completed', hasDeadLetters: true });
    expect(await seen(config.to)).toEqual([...all, 60]);
    const letters = (
      await valuesOf(broker(), broker().cluster, `millrace.FaultFlow.${options.runId}.dead-letters`)
    ).map((value) => JSON.parse(value) as { task: string; code: string; record: { value?: unknown } });
    expect(letters.map(({ task, code, record }) => `${task} ${code} ${String(record.value)}`).sort()).toEqual(
      [
        ...['', '{"k":', '{"k":"a"}', '[]', 'null', '{"k":1,"n":2}'].map(
          (value) => `In MILLRACE_INVALID_INPUT ${value}`,
        ),
        'Work MILLRACE_TASK undefined',
      ].sort(),
    );
  }, 60_000);

  it('keeps its lanes if partitions are added to a topic of the run, and refuses the next worker', async () => {
    const all = numbers(200);
    const { options, config, edge } = await runOf(all.map(ofItem), { workMs: 20 });
    const events: WorkerEvent[] = [];
    const worker = startWorker({ ...options, onEvent: (event) => events.push(event) });
    await until(() => events.some(({ stage }) => stage === 'Spread'));
    const admin = await broker().asAdmin();
    await admin.createPartitions({ topicPartitions: [{ topic: edge, count: PARTITIONS + 2 }] });
    expect(await worker.finished).toMatchObject({ outcome: 'completed' });
    expect(await seen(config.to)).toEqual(all);
    await expect(startWorker(options).finished).rejects.toMatchObject({
      code: 'MILLRACE_KAFKA',
      message: expect.stringContaining(
        `topic '${edge}' to have ${PARTITIONS} partitions, got ${PARTITIONS + 2}`,
      ) as unknown,
    });
  }, 60_000);

  it('writes nothing again after the offsets of its group have expired', async () => {
    const all = numbers(60);
    const { options, config } = await runOf(all.map(ofItem), { workMs: 0 });
    await startWorker(options).finished;
    const admin = await broker().asAdmin();
    await admin.deleteGroups([`millrace.FaultFlow.${options.runId}`]);
    expect(await startWorker(options).finished).toMatchObject({ outcome: 'completed' });
    expect(await seen(config.to)).toEqual(all);
  }, 60_000);
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}

/** The content of a file, once it is there. */
async function content(path: string): Promise<string> {
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text !== '') return text;
    await sleep(20);
  }
}
