/** Tasks with a state per key, in the threads that own the keys, give what they give inline. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  aggregateTask,
  asyncTask,
  defineWorkflow,
  sinkTask,
  sourceTask,
  statefulTask,
  type DeadLetter,
  type RunOptions,
  type RunSummary,
  type Task,
} from '#lib/index.js';
import { KeyedRounds } from '#lib/stream/keyed-rounds.js';
import { KeyedStates } from '#lib/tasks/keyed-states.js';
import { memoryCheckpoints } from '#lib/testing/index.js';
import { ThreadWorkload } from '#lib/workers/thread-workload.js';
import { wrong } from '../planted-bugs/plant.js';
import { isLong } from '../support/long.js';
import {
  DEADLY,
  drawn,
  ENDLESS,
  lists,
  ONCE,
  plainLists,
  plainTexts,
  running,
  uncloneable,
} from '../workers/modules/running.js';

interface Result {
  readonly outputs: unknown[];
  readonly letters: Pick<DeadLetter, 'record' | 'code'>[];
  readonly notices: string[];
  readonly summary: RunSummary;
}

async function runOver(records: readonly number[], task: Task<number, unknown>, options: RunOptions): Promise<Result> {
  const outputs: unknown[] = [];
  const letters: Pick<DeadLetter, 'record' | 'code'>[] = [];
  const notices: string[] = [];
  const flow = defineWorkflow({
    name: 'Running',
    build: (flow) =>
      flow
        .task('Read', sourceTask(records))
        .task('State', ['Read'], task)
        .task(
          'Write',
          ['State'],
          sinkTask((output: unknown) => void outputs.push(output)),
        ),
  });
  const run = flow.run(undefined, options);
  run.events$.subscribe((event) => {
    if (event.type === 'dead-letter') letters.push({ record: event.letter.record, code: event.letter.code });
    if (event.type === 'notice') notices.push(event.message);
  });
  return { outputs, letters, notices, summary: await run.finished };
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const byRecord = (a: { record: unknown }, b: { record: unknown }): number => Number(a.record) - Number(b.record);

describe('a statefulTask in threads', () => {
  it('gives what it gives inline, in the same order, for any keys, limits and windows', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          records: fc.array(fc.nat(200), { minLength: 1, maxLength: 300 }),
          keys: fc.integer({ min: 1, max: 40 }),
          inPlace: fc.boolean(),
          maxKeys: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
          window: fc.integer({ min: 1, max: 100 }),
          threads: fc.integer({ min: 1, max: 3 }),
          isCoarse: fc.boolean(),
        }),
        async ({ records, keys, inPlace, maxKeys, window, threads, isCoarse }) => {
          const limits = maxKeys === undefined ? {} : { maxKeys };
          const inline = await runOver(records, statefulTask(plainTexts({ keys, inPlace }), limits), { window });
          const partitionBy = isCoarse ? (n: number) => `${(n % keys) % 2}` : 'key';
          const task = statefulTask(running({ keys, inPlace }), { ...limits, partitionBy });
          const { outputs, letters, notices, summary } = await runOver(records, task, { window, threads });
          expect(outputs).toEqual(inline.outputs);
          expect(letters.sort(byRecord)).toEqual(inline.letters.sort(byRecord));
          expect(notices).toEqual(inline.notices);
          const { in: got, out, skipped, deadLettered } = inline.summary.tasks['State'] ?? {};
          expect(summary.tasks['State']).toMatchObject({ in: got, out, skipped, deadLettered });
        },
      ),
      { numRuns: isLong ? 100 : 6 },
    );
  });

  it('gives steps the same context inline and in threads', async () => {
    const task = (): Task<number, unknown> => statefulTask(drawn, { partitionBy: 'key' });
    const inline = await runOver(numbers(50), task(), { threads: 0, seed: 5 });
    const { outputs } = await runOver(numbers(50), task(), { threads: 2, seed: 5 });
    expect(outputs).toEqual(inline.outputs);
    expect(outputs[0]).toEqual(['State', 0, expect.any(Number)]);
  });

  it.each([
    ['kills its thread', DEADLY, 'MILLRACE_THREAD', {}],
    ['exceeds its limit', ENDLESS, 'MILLRACE_TIMEOUT', { timeoutMs: 300 }],
  ])('loses only the record that %s, and no state', async (_, bad, code, options) => {
    const records = numbers(600);
    const inline = await runOver(records, statefulTask(plainTexts({ keys: 10 })), {});
    const task = statefulTask(running({ keys: 10 }), { partitionBy: 'key', ...options });
    const { outputs, letters, summary } = await runOver(records.toSpliced(400, 0, bad), task, { threads: 2 });
    expect(outputs).toEqual(inline.outputs);
    expect(letters.find(({ record }) => record === bad)).toMatchObject({ code });
    expect(letters).toHaveLength(inline.letters.length + 1);
    expect(summary.threads?.replaced).toBeGreaterThan(0);
  });

  it('holds the order of a key when a record ends its thread and passes the second time', async () => {
    expect(await passingTheSecondTime()).toBe(true);
  });

  it('holds the order of the input when the states of one thread are slow', async () => {
    expect(await oneSlowPartition()).toBe(true);
  });

  it('drains while its outputs are held back by a slow task', async () => {
    const store = memoryCheckpoints();
    const flow = defineWorkflow({
      name: 'Running',
      build: (flow) =>
        flow
          .task('Read', sourceTask(numbers(100_000)))
          .task('State', ['Read'], statefulTask(running({ keys: 7 }), { partitionBy: 'key' }))
          .task(
            'Slow',
            ['State'],
            asyncTask(() => new Promise<void>((resolve) => setTimeout(resolve, 5)), { concurrency: 2 }),
          ),
    });
    const run = flow.run(undefined, { threads: 2, window: 64, checkpoints: store.begin() });
    let passed = 0;
    run.output$('Slow').subscribe(() => {
      if (++passed === 300) run.drain();
    });
    expect((await run.finished).outcome).toBe('drained');
  });

  it('gives up the record whose output cannot be copied, and refuses such a state', async () => {
    const task = statefulTask(uncloneable, { partitionBy: 'key' });
    const { outputs, letters } = await runOver([1, 2, 4], task, { threads: 1 });
    expect(outputs).toEqual([1, 4]);
    expect(letters).toEqual([{ record: 2, code: 'MILLRACE_UNCLONABLE' }]);
    await expect(runOver([1, 3], task, { threads: 1 })).rejects.toMatchObject({ code: 'MILLRACE_UNCLONABLE' });
  });

  it('takes a module URL and the name of an export, with types', async () => {
    const module = new URL('../workers/modules/running.js', import.meta.url);
    type Running = typeof import('../workers/modules/running.js');
    const task: Task<number, readonly [string, number, number]> = statefulTask<Running, 'drawn'>(
      { module, export: 'drawn' },
      { partitionBy: 'key' },
    );
    expect((await runOver([4], task, { threads: 1 })).outputs).toEqual([['State', 4, expect.any(Number)]]);
    const other = { module, export: 'lists', args: { keys: 1 } } as never;
    const missing = statefulTask<Running, 'drawn'>(other, { partitionBy: 'key' });
    await expect(runOver([1], missing, { threads: 1 })).rejects.toThrow('`init` and `step`');
  });

  it.each([
    ['`partitionBy` without a module', () => statefulTask(plainTexts({ keys: 1 }), { partitionBy: 'key' }), 'Wrap'],
    ['`timeoutMs` without `partitionBy`', () => statefulTask(running({ keys: 1 }), { timeoutMs: 1 }), 'partitionBy'],
    ['a module URL without `partitionBy`', () => statefulTask({ module: 'file:///x', export: 'x' } as never), 'Add'],
    [
      'a schema for outputs',
      () => statefulTask(running({ keys: 1 }), { partitionBy: 'key', output: schema as never }),
      'output',
    ],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(message);
  });
});

const schema = { '~standard': { version: 1, vendor: 'spec', validate: (value: unknown) => ({ value }) } };

/** Whether the outputs are those of a run in which no thread ended. */
async function passingTheSecondTime(): Promise<boolean> {
  const marker = join(mkdtempSync(join(tmpdir(), 'millrace-')), 'marker');
  const records = numbers(400).toSpliced(200, 0, ONCE);
  const inline = await runOver(records, statefulTask(plainTexts({ keys: 4 })), {});
  const task = statefulTask(running({ keys: 4, marker }), { partitionBy: 'key' });
  const { outputs, summary } = await runOver(records, task, { threads: 2 });
  expect(summary.threads?.replaced).toBe(1);
  return JSON.stringify(outputs) === JSON.stringify(inline.outputs);
}

/** Whether fast partitions leave the order of the input as it is. */
async function oneSlowPartition(): Promise<boolean> {
  const records = numbers(60);
  const inline = await runOver(records, statefulTask(plainTexts({ keys: 8 })), {});
  const task = statefulTask(running({ keys: 8, slowMs: 5 }), { partitionBy: 'key' });
  const { outputs } = await runOver(records, task, { threads: 2, window: 4 });
  return JSON.stringify(outputs) === JSON.stringify(inline.outputs);
}

interface Incarnations {
  /** The threads of each incarnation. */
  readonly threads: readonly number[];
  readonly make: () => Task<number, unknown>;
  /** After so many outputs of the source, an incarnation ends as by a crash. */
  readonly records: number;
}

/** Everything that was written in several incarnations, the last of which completes. */
async function resumed({ threads, make, records }: Incarnations): Promise<{ written: unknown[]; letters: unknown[] }> {
  const kept = memoryCheckpoints();
  const written: unknown[] = [];
  const letters: unknown[] = [];
  const share = records / threads.length;
  for (const [incarnation, size] of threads.entries()) {
    const isLast = incarnation === threads.length - 1;
    const flow = defineWorkflow({
      name: 'Running',
      build: (flow) =>
        flow
          .task('Read', sourceTask(numbers(records)))
          .task('State', ['Read'], make())
          .task(
            'Write',
            ['State'],
            sinkTask((output: unknown) => void written.push(output)),
          ),
    });
    const run = flow.run(undefined, {
      threads: size,
      checkpoints: kept.begin(),
      checkpointEvery: { everyMs: 1, everyRecords: 1 },
      window: 32,
      ...(kept.last && { resumeFrom: kept.last }),
    });
    const before = kept.last?.roots['Read']?.watermark ?? 0;
    let read = 0;
    run.events$.subscribe((event) => {
      if (event.type === 'dead-letter') letters.push(event.letter.record);
    });
    run.output$('Read').subscribe(() => {
      // Only then is there anything to go on from.
      const isFurther = (kept.last?.roots['Read']?.watermark ?? 0) > before;
      if (++read >= share && !isLast && isFurther) run.cancel();
    });
    await run.finished.catch(() => undefined);
  }
  expect(kept.last?.isComplete).toBe(true);
  return { written, letters };
}

/** Whether each output is what it would be without a crash, and none is lost. */
async function resumedScan(maxKeys: number | undefined): Promise<boolean> {
  const records = 2000;
  const limits = maxKeys === undefined ? {} : { maxKeys };
  const inline = await runOver(numbers(records), statefulTask(plainTexts({ keys: 17 }), limits), {});
  const make = (): Task<number, unknown> => statefulTask(running({ keys: 17 }), { ...limits, partitionBy: 'key' });
  const { written } = await resumed({ threads: [2, 2, 0, 2], make, records });
  const expected = new Set(inline.outputs);
  return written.every((output) => expected.has(output)) && new Set(written).size === expected.size;
}

describe('a resumed run with states in threads', () => {
  it.each([undefined, 5])('goes on with the states, with `maxKeys` %s, also inline', async (maxKeys) => {
    expect(await resumedScan(maxKeys)).toBe(true);
  });

  it('folds a kept aggregate in threads, and counts each record once', async () => {
    const records = 2000;
    const inline = await runOver(numbers(records), aggregateTask(plainLists({ keys: 17 })), {});
    for (const partitionBy of ['key', (n: number) => `${(n % 17) % 2}`] as const) {
      const make = (): Task<number, unknown> => aggregateTask(lists({ keys: 17 }), { partitionBy, durable: true });
      const { written } = await resumed({ threads: [2, 0, 2, 2], make, records });
      expect(written).toEqual(inline.outputs);
    }
  });

  it.each([
    ['kills its thread', DEADLY, 'MILLRACE_THREAD', {}],
    ['exceeds its limit', ENDLESS, 'MILLRACE_TIMEOUT', { timeoutMs: 300 }],
  ])('loses only the record that %s, where the state of an aggregate is kept', async (_, bad, code, options) => {
    const records = numbers(600);
    const inline = await runOver(records, aggregateTask(plainLists({ keys: 5 })), {});
    const task = aggregateTask(lists({ keys: 5 }), { partitionBy: 'key', durable: true, ...options });
    const { outputs, letters } = await runOver(records.toSpliced(300, 0, bad), task, {
      threads: 2,
      checkpoints: memoryCheckpoints().begin(),
    });
    expect(outputs).toEqual(inline.outputs);
    expect(letters.find(({ record }) => record === bad)).toMatchObject({ code });
  });
});

describe('these specs notice', () => {
  it.each([
    [
      'that a new thread has no states',
      wrong('', ThreadWorkload, 'isOrdered', () => () => false),
      passingTheSecondTime,
    ],
    [
      'that a round is finished before the one in front of it',
      wrong(
        '',
        KeyedRounds,
        'finishRounds',
        () =>
          function () {
            const rounds = this['rounds'] as { isStarted: boolean; open: number }[];
            const at = rounds.findIndex(({ isStarted, open }) => isStarted && open === 0);
            (this['finish'] as (round: unknown) => void)(rounds.splice(at, 1)[0]);
          },
      ),
      oneSlowPartition,
    ],
    [
      'that states are not in the checkpoint',
      wrong('', KeyedStates, 'commit', () => () => undefined),
      () => resumedScan(undefined),
    ],
  ])('%s', async (_, bug, isRight) => {
    const takeOut = bug.plant();
    try {
      expect(await isRight()).toBe(false);
    } finally {
      takeOut();
    }
  });
});
