/** Functions of the user that return what their task cannot use: promises, and keys that equal only themselves. */
import { describe, expect, it } from '@jest/globals';
import {
  aggregateTask,
  asyncTask,
  branch,
  defineWorkflow,
  expandTask,
  repartition,
  sinkTask,
  sourceTask,
  statefulTask,
  syncTask,
  type Flow,
  type RunSummary,
  type Task,
} from 'millrace';
import { iterateTask, pageTask } from 'millrace/iterate';
import { sliding, tumbling, windowTask } from 'millrace/windows';

type AnyTask = Task<number, unknown>;
/** A function whose promise is rejected, so that a rejection without a handler would fail the spec. */
const promise = (() => Promise.reject(new Error('not read'))) as () => never;
const counting = { init: () => 0, add: (sum: number) => sum + 1, merge: (a: number, b: number) => a + b };
const finish = (sum: number) => sum;

async function run(task: AnyTask, records: readonly number[] = [1, 2]): Promise<{ out: unknown[]; end: RunSummary }> {
  const out: unknown[] = [];
  const end = await defineWorkflow({
    name: 'Wrong',
    build: (flow) =>
      flow
        .task('Numbers', sourceTask(records))
        .task('Wrong', ['Numbers'], task)
        .task(
          'Collect',
          ['Wrong'],
          sinkTask((record) => void out.push(record)),
        ),
  }).run().finished;
  return { out, end };
}

async function reads(source: ReturnType<typeof sourceTask>): Promise<void> {
  const build = (flow: Flow<object>) =>
    flow.task('Wrong', source).task(
      'End',
      ['Wrong'],
      sinkTask(() => undefined),
    );
  await defineWorkflow({ name: 'Source', build }).run().finished;
}

const windowed = { ...counting, finish, window: tumbling(10), timestamp: (at: number) => at };

describe('a promise where a value is needed', () => {
  it.each<[what: string, task: AnyTask]>([
    ['`key`', aggregateTask({ ...counting, finish, key: promise })],
    ['`key`', statefulTask({ key: promise, init: () => 0, step: (n: number) => [n, n] as const })],
    ['as the state', statefulTask({ init: () => 0, step: (n: number) => [promise(), n] as const })],
    ['as the output', statefulTask({ init: () => 0, step: (n: number) => [n, promise()] as const })],
    ['`key`', windowTask({ ...windowed, key: promise })],
    ['`key`', repartition(promise)],
    ['`timestamp`', windowTask({ ...windowed, timestamp: promise })],
    ['`until`', iterateTask({ init: (n: number) => n, step: (n) => n + 1, until: promise, maxIterations: 3 })],
    ['as `items`', pageTask({ page: () => Promise.resolve({ items: promise() }), maxPages: 3 })],
    ['as `next`', pageTask({ page: () => Promise.resolve({ items: [1], next: promise() }), maxPages: 3 })],
    ['as a record', pageTask({ page: () => Promise.resolve({ items: [promise(), promise()] }), maxPages: 3 })],
    ['as a record', expandTask(() => [promise(), promise()])],
    [
      'as a record',
      expandTask(function* () {
        yield promise();
      }),
    ],
  ])('fails the run, and the message names %s', async (what, task) => {
    await expect(run(task)).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_OPTION',
      message: expect.stringMatching(new RegExp(`^.*'Wrong'.*returned a promise`)),
    });
    await expect(run(task)).rejects.toThrow(what);
  });

  it('is refused as a choice and as a key of a join', async () => {
    const choice = defineWorkflow({
      name: 'Choice',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask([1]))
          .task('Wrong', ['Numbers'], branch(['a', 'b'], promise))
          .task(
            'A',
            ['Wrong.a'],
            sinkTask(() => undefined),
          )
          .task(
            'B',
            ['Wrong.b'],
            sinkTask(() => undefined),
          ),
    });
    await expect(choice.run().finished).rejects.toThrow("The choice of 'Wrong' returned a promise");
    const join = defineWorkflow({
      name: 'Join',
      build: (flow) =>
        flow
          .task('L', sourceTask([1]))
          .task('R', sourceTask([1]))
          .task(
            'Wrong',
            ['L', 'R'],
            { join: 'keyed', kind: 'inner', on: [promise, finish] },
            sinkTask(() => undefined),
          ),
    });
    await expect(join.run().finished).rejects.toThrow("`on` of 'Wrong' returned a promise");
  });

  it('is refused as a fallback', async () => {
    const failing = () => {
      throw new Error('no');
    };
    await expect(run(syncTask(failing, { onFailure: { fallback: promise } }))).rejects.toThrow(
      "`fallback` of 'Wrong' returned a promise",
    );
  });

  it('is refused as a record of a source', async () => {
    const eventually = (): unknown => Promise.resolve(1);
    await expect(reads(sourceTask([eventually(), 2]))).rejects.toThrow(
      "The source 'Wrong', as a record, returned a promise",
    );
    await expect(reads(sourceTask(new Set([eventually()])))).rejects.toThrow('returned a promise');
  });
});

describe('a key that equals only itself', () => {
  it.each<[kind: string, task: AnyTask]>([
    ['aggregateTask', aggregateTask({ ...counting, finish, key: (n) => (n === 2 ? [n] : 'one') })],
    ['windowTask', windowTask({ ...windowed, key: (n) => (n === 2 ? new Date(n) : 'one') })],
    [
      'statefulTask',
      statefulTask({
        key: (n: number) => (n === 2 ? { n } : 'one'),
        init: () => 0,
        step: (n) => [n + 1, n + 1] as const,
      }),
    ],
    ['repartition', repartition((n: number) => (n === 2 ? Symbol('two') : n))],
  ])('costs a %s the record alone', async (kind, task) => {
    const { out, end } = await run(task, [1, 2, 3]);
    expect(out.at(-1)).toBe(kind === 'repartition' ? 3 : 2);
    expect(end).toMatchObject({ deadLettered: 1, tasks: { Wrong: { deadLettered: 1 } } });
  });

  it('costs a keyed join the record alone', async () => {
    const out: unknown[] = [];
    const end = await defineWorkflow({
      name: 'Join',
      build: (flow) =>
        flow
          .task('L', sourceTask([1, 2]))
          .task('R', sourceTask([1, 2]))
          .task(
            'Both',
            ['L', 'R'],
            { join: 'keyed', kind: 'outer', on: [(n) => (n === 1 ? [n] : n), (n) => n] },
            sinkTask((pair) => void out.push(pair)),
          ),
    }).run().finished;
    expect(out).toEqual([
      [2, 2],
      [undefined, 1],
    ]);
    expect(end.deadLettered).toBe(1);
  });
});

describe('a time that no Date can have', () => {
  const inNanoseconds = Date.UTC(2026, 0) * 1e6;
  it.each([
    ['tumbling', tumbling(10)],
    ['sliding', sliding(10, 5)],
    ['sliding, with steps below the accuracy of the number', sliding(1000, 100)],
  ])('costs the record alone, and does not move the watermark: %s', async (_, window) => {
    const task = windowTask({ ...windowed, window });
    const { out, end } = await run(task, [inNanoseconds, 2, -Infinity, 3, 1e300]);
    expect(out[0]).toBe(2);
    expect(end.tasks['Wrong']).toMatchObject({ deadLettered: 3 });
  });

  it('is refused as a Date, too, with the type in the message', async () => {
    const task = windowTask({ ...windowed, timestamp: (at: number) => new Date(at) as unknown as number });
    expect((await run(task)).end.deadLettered).toBe(2);
  });
});

describe('a `step` of a statefulTask that returns no pair', () => {
  it.each([
    ['a text', 'ab'],
    ['a Map', new Map([[1, 2]])],
    ['a list of one', [1]],
    ['nothing', undefined],
  ])('costs the record: %s', async (_, wrong: unknown) => {
    const step = () => wrong as readonly [number, number];
    const { out, end } = await run(statefulTask({ init: () => 0, step }));
    expect(out).toEqual([]);
    expect(end.deadLettered).toBe(2);
  });
});

describe('an output whose `then` cannot be read', () => {
  const odd = (n: number): object =>
    Object.defineProperty({ n }, 'then', {
      get: () => {
        throw new Error('no');
      },
    });
  const numbered = (record: unknown): unknown => (record as { n: number }).n;

  it.each<[kind: string, task: AnyTask]>([
    ['syncTask', syncTask(odd)],
    ['expandTask', expandTask((n: number) => [odd(n)])],
    ['statefulTask', statefulTask({ init: () => 0, step: (n: number, record: number) => [n, odd(record)] as const })],
    ['asyncTask without a promise', asyncTask(odd as (n: number) => Promise<object>)],
  ])('is a record like another one: %s', async (_, task) => {
    const { out, end } = await run(task, [1, 2, 3]);
    expect(out.map(numbered)).toEqual([1, 2, 3]);
    expect(end.outcome).toBe('completed');
  });

  it('costs its record alone where something waits for it', async () => {
    const task = asyncTask(async (n: number) => (n === 2 ? odd(n) : { n }));
    const { out, end } = await run(task, [1, 2, 3]);
    expect(out.map(numbered).sort()).toEqual([1, 3]);
    expect(end).toMatchObject({ outcome: 'completed', deadLettered: 1 });
  });
});
