/**
 * One list of cases for every kind of task that works record by record: what holds for one must hold for all.
 */
import { describe, expect, it } from '@jest/globals';
import {
  asyncTask,
  expandTask,
  operatorTask,
  sinkTask,
  sourceTask,
  syncTask,
  Task,
  type TaskDeclaration,
  type TaskOptions,
} from 'millrace';
import { recordingDeadLetters } from 'millrace/testing';
import { map } from 'rxjs';
import { runToEnd, task } from '../support/run-to-end.js';

type Work = (value: unknown) => unknown;
type AnyTask = TaskDeclaration['task'];

class Custom extends Task<unknown, unknown> {
  constructor(
    private readonly work: Work,
    options: TaskOptions<unknown, unknown>,
  ) {
    super(options);
  }
  protected override async process(value: unknown): Promise<unknown> {
    await null;
    return this.work(value);
  }
}

/** How to make a task of each kind that does `work` on each record. */
const KINDS: [string, (work: Work, options?: TaskOptions<unknown, unknown>) => AnyTask][] = [
  ['sync', (work, options) => syncTask(work, options)],
  ['async', (work, options) => asyncTask(async (value: unknown) => work(value), options)],
  [
    'async, ordered',
    (work, options) => asyncTask(async (value: unknown) => work(value), { ...options, ordered: true }),
  ],
  [
    'async that waits',
    (work, options) =>
      asyncTask((value: unknown) => new Promise((resolve) => setImmediate(resolve)).then(() => work(value)), options),
  ],
  ['custom', (work, options) => new Custom(work, options ?? {})],
  ['expand to one', (work, options) => expandTask((value: unknown) => [work(value)], options)],
  ['sink', (work, options) => sinkTask((value: unknown) => void work(value), options)],
];
/** An operator cannot blame a record, so it is only in the cases without failures. */
const ALL_KINDS: typeof KINDS = [...KINDS, ['operator', (work) => operatorTask(map(work))]];

const identity: Work = (value) => value;
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);
const sorted = (values: readonly unknown[] | undefined): unknown[] =>
  [...(values ?? [])].sort((a, b) => Number(a) - Number(b));

describe.each(ALL_KINDS)('every task: %s', (_, make) => {
  const through = (records: readonly unknown[], options = {}): ReturnType<typeof runToEnd> =>
    runToEnd([task('S', [], sourceTask(records)), task('T', ['S'], make(identity))], options);

  it.each([0, 1, 2, 1000])('passes %i records on, each once', async (count) => {
    const { outputs, summary } = await through(range(count));
    expect(sorted(outputs['T'])).toEqual(range(count));
    expect(summary.tasks['T']).toMatchObject({ in: count, out: count, skipped: 0, deadLettered: 0 });
  });

  it('passes falsy records on', async () => {
    const falsy = [0, -0, '', false, null, NaN, undefined, 0n];
    const { outputs } = await through(falsy);
    expect(outputs['T']?.length).toBe(falsy.length);
    for (const value of falsy) expect(outputs['T']).toContainEqual(value);
  });

  it('works with a window of one', async () => {
    const { outputs } = await through(range(50), { window: 1 });
    expect(outputs['T']).toEqual(range(50));
  });

  it('passes 100,000 records on without growing the stack', async () => {
    const { summary } = await through(range(100_000), { window: 64 });
    expect(summary.tasks['T']?.out).toBe(100_000);
  }, 30_000);

  it('stops when the run is cancelled, and leaves nothing behind', async () => {
    const before = process.getActiveResourcesInfo().length;
    const controller = new AbortController();
    let drawn = 0;
    function* endless(): Generator<number> {
      for (;;) {
        if (drawn === 200) controller.abort();
        yield drawn++;
      }
    }
    const { summary } = await runToEnd(
      [
        task(
          'S',
          [],
          sourceTask(() => endless()),
        ),
        task('T', ['S'], make(identity)),
      ],
      {
        signal: controller.signal,
        window: 32,
      },
    );
    expect(summary.outcome).toBe('cancelled');
    const after = drawn;
    await new Promise((resolve) => setImmediate(resolve));
    expect(drawn).toBe(after);
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before);
  });
});

describe.each(KINDS)('every task that can fail a record: %s', (_, make) => {
  it.each([
    ['the first', 0],
    ['one in the middle', 50],
    ['the last', 99],
  ])('loses only %s when its function throws there, also undefined', async (__, bad) => {
    const deadLetters = recordingDeadLetters();
    const fragile = make((value) => {
      if (value === bad) throw undefined;
      return value;
    });
    const { outputs, summary } = await runToEnd([task('S', [], sourceTask(range(100))), task('T', ['S'], fragile)], {
      deadLetters,
    });
    expect(sorted(outputs['T'])).toEqual(range(100).filter((value) => value !== bad));
    expect(summary.outcome).toBe('completed');
    expect(deadLetters.letters).toEqual([
      expect.objectContaining({
        task: 'T',
        record: bad,
        attempts: 1,
        code: 'MILLRACE_TASK',
        message: 'a value that is not an Error was thrown: undefined',
      }),
    ]);
  });

  it('ends the run at the first failure when it is told to', async () => {
    const fragile = make(
      () => {
        throw new Error('no');
      },
      { onFailure: 'fail' },
    );
    const failed = runToEnd([task('S', [], sourceTask(range(100))), task('T', ['S'], fragile)]);
    await expect(failed).rejects.toMatchObject({ code: 'MILLRACE_TASK' });
  });
});
