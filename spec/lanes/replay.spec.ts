/** The dead letters of a spread run are replayed in its lanes: once each, across cuts, also when workers die. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DeadLetter, RunEvent, RunSummary } from 'millrace';
import { beginReplay, createRun, kafkaCarrier, lagOf, stagesOf, startWorker, type SpreadOptions } from 'millrace/lanes';
import { recordingDeadLetters } from 'millrace/testing';
import { openClient } from '#lib/connectors/kafka/raw-client.js';
import { valuesOf } from '../kafka/both-readers.js';
import { describeWithBroker } from '../kafka/with-broker.js';
import { FAULTS, failingAt, ReplayFlow, type Item } from './replay-flow.js';

const MODULE = new URL('./replay-flow.js', import.meta.url).pathname;
const VICTIM = new URL('./worker-victim.js', import.meta.url).pathname;
const ITEMS = 200;
const ALL = [...new Array<undefined>(ITEMS).keys()];
const PARTITIONS = 3;
const EACH = ITEMS / 20;
const LAST_OF_WORK = ITEMS - 20 + FAULTS.Work;

describeWithBroker('a replay of the dead letters of a spread run', (broker) => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'millrace-replay-'));
  });
  afterAll(async () => {
    await rm(root, { recursive: true, force: true });
  });

  const setUp = async (
    runId: string,
    more: { readonly held?: number } = {},
  ): Promise<{
    readonly config: { readonly folder: string; readonly broker: string; readonly topic: string };
    readonly options: SpreadOptions;
    readonly repair: (task: keyof typeof FAULTS) => Promise<void>;
    readonly out: () => Promise<number[]>;
    readonly rows: () => Promise<number[]>;
  }> => {
    const folder = await mkdtemp(join(root, 'run-'));
    const topic = await broker().topic(2);
    const config = { folder, broker: broker().address, topic, ...more };
    const ascending = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);
    return {
      config,
      options: {
        ...{ workflow: ReplayFlow.prepare(config), cluster: broker().cluster, runId, partitions: PARTITIONS },
      },
      repair: (task) => writeFile(join(folder, task), ''),
      out: async () => {
        const values = await valuesOf(broker(), broker().cluster, topic);
        return ascending(values.map((value) => (JSON.parse(value) as Item).n));
      },
      rows: async () => {
        const [, ...rows] = (await readFile(join(folder, 'rows.csv'), 'utf8')).trim().split('\n');
        return ascending(rows.map((row) => Number(row.split(',')[1])));
      },
    };
  };
  /** The owner of the last lane of `Again` dies between the offset that closes it and the end of its transaction. */
  const dieWhileClosing = async (options: SpreadOptions): Promise<void> => {
    const { stages, group, stateTopic } = stagesOf(options);
    const names = stages.flatMap(({ name, lanes }) => new Array<string>(lanes).fill(name));
    const lane = names.lastIndexOf('Again');
    const client = await openClient(broker().cluster);
    const producer = await client.beginProducer(`${group}.${lane}`, 60_000);
    await client.commitWithin(
      producer,
      group,
      stateTopic,
      new Map([[lane, { offset: 0, metadata: 'millrace-closed' }]]),
    );
    await client.close();
  };
  const numbersOf = (letters: readonly DeadLetter[]): number[] =>
    letters.map(({ record }) => (record as Item).n).sort((a, b) => a - b);

  it('processes the records once, in each output behind one cut and two, and those that fail again once more', async () => {
    const { config, options, repair, out, rows } = await setUp('replayed');
    const work = async (): Promise<{ summary: RunSummary; letters: readonly DeadLetter[]; events: RunEvent[] }> => {
      const { cluster, partitions, runId } = options;
      const carrier = kafkaCarrier({ cluster, ...(partitions !== undefined && { partitions }) });
      const deadLetters = recordingDeadLetters();
      const run = ReplayFlow.run(config, { carrier, runId, deadLetters });
      const events: RunEvent[] = [];
      run.events$.subscribe((event) => events.push(event));
      return { summary: await run.finished, letters: deadLetters.letters, events };
    };
    await createRun(options);
    await expect(beginReplay(options)).rejects.toMatchObject({
      code: 'MILLRACE_RESUME',
      message: expect.stringContaining('12 of 12 lanes have not completed') as unknown,
    });
    const first = await work();
    expect(first.letters).toHaveLength(4 * EACH);
    expect(await out()).toHaveLength(ITEMS - 2 * EACH);

    await repair('Parse');
    await repair('Work');
    const stay = failingAt('Check', ITEMS);
    expect(await beginReplay(options)).toEqual({ replayed: 3 * EACH, stay: EACH, isUnderWay: false });
    await dieWhileClosing(options);
    const askedAt = performance.now();
    expect(await beginReplay(options)).toEqual({ replayed: 0, stay: EACH, isUnderWay: true });
    // The transaction of the owner that died may stay open for a minute.
    expect(performance.now() - askedAt).toBeLessThan(45_000);
    const second = await work();
    expect(await out()).toEqual(ALL);
    expect(await rows()).toEqual(ALL.filter((n) => !failingAt('Late', ITEMS).includes(n)));
    expect(numbersOf(second.letters)).toEqual(numbersOf([...first.letters]).filter((n) => ![3, 7].includes(n % 20)));
    expect(second.summary).toMatchObject({
      ...{ outcome: 'completed', deadLettered: 2 * EACH },
      tasks: { Parse: { deadLettered: 0 }, Work: { deadLettered: 0 }, Late: { deadLettered: EACH } },
    });
    const ended = second.events.flatMap((event) => (event.type === 'task-ended' ? [event.task] : []));
    expect(ended.sort()).toEqual(Object.keys(second.summary.tasks).sort());

    await repair('Late');
    await repair('Check');
    expect(await beginReplay(options)).toEqual({ replayed: EACH, stay: EACH, isUnderWay: false });
    expect((await lagOf(options)).filter(({ completed, lanes }) => completed < lanes)).toHaveLength(2);
    const third = await work();
    expect([await out(), await rows()]).toEqual([ALL, ALL]);
    expect(numbersOf(third.letters)).toEqual(stay);
    expect(await beginReplay(options)).toEqual({ replayed: 0, stay: EACH, isUnderWay: false });
    expect(await startWorker(options).finished).toEqual({ outcome: 'completed', hasDeadLetters: true });
  }, 120_000);

  it('is continued by another worker when one is killed in the middle', async () => {
    const { config, options, repair, out, rows } = await setUp('killed', { held: LAST_OF_WORK });
    const hold = join(config.folder, 'hold');
    await createRun(options);
    await startWorker(options).finished;
    for (const task of ['Parse', 'Work', 'Late'] as const) await repair(task);
    expect(await beginReplay(options)).toMatchObject({ replayed: 3 * EACH });
    const written = async (): Promise<number> => (await broker().read(config.topic)).length;
    const before = await written();
    await writeFile(hold, '');
    const args = [VICTIM, broker().address, options.runId, MODULE, 'ReplayFlow', JSON.stringify(config)];
    const victim = spawn(process.execPath, [...args, String(PARTITIONS)], { stdio: 'ignore' });
    while ((await written()) === before && victim.exitCode === null) await sleep(50);
    victim.kill('SIGKILL');
    // It cannot have been done: one record was held.
    expect(await once(victim, 'exit')).toEqual([null, 'SIGKILL']);
    await rm(hold);
    expect((await startWorker(options).finished).outcome).toBe('completed');
    expect([await out(), await rows()]).toEqual([ALL, ALL]);
  }, 120_000);
});
