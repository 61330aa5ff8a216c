import { describe, expect, it } from '@jest/globals';
import {
  aggregateTask,
  asyncTask,
  expandTask,
  operatorTask,
  sinkTask,
  skip,
  sourceTask,
  syncTask,
  type TaskDeclaration,
} from 'millrace';
import { recordingDeadLetters, recordingSink, virtualClock } from 'millrace/testing';
import { reportOf } from 'millrace/observe';
import { EMPTY, from, map, take } from 'rxjs';
import { z } from 'zod';
import { performanceSummary } from '#lib/observe/performance-summary.js';
import { runToEnd, task } from '../support/run-to-end.js';

const keep = syncTask<unknown, unknown>((value) => value);
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

/** How often the event loop turns while the work goes on. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let [turns, isOver] = [0, false];
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await work();
  isOver = true;
  return turns;
}
const spin = <T>(value: T, ms = 1): T => {
  const until = performance.now() + ms;
  while (performance.now() < until);
  return value;
};

it('tasks may have the names of what each object inherits, and are in the summary and the events', async () => {
  const { summary, events } = await runToEnd([
    task('constructor', [], sourceTask(range(3))),
    task('toString', ['constructor'], keep),
    task('__proto__', ['toString'], keep),
  ]);
  expect(Object.keys(summary.tasks).sort()).toEqual(['__proto__', 'constructor', 'toString']);
  const kept = JSON.parse(JSON.stringify(performanceSummary(summary))) as { tasks: object };
  expect(Object.getOwnPropertyDescriptor(kept.tasks, '__proto__')?.value).toMatchObject({ processed_item_count: 3 });
  const report = await reportOf(from(events));
  for (const name of Object.keys(summary.tasks)) expect(report).toContain(`>${name}</`);
  expect(summary.tasks['toString']).toMatchObject({ in: 3, out: 3, dependencies: ['constructor'] });
  expect(events.filter(({ type }) => type === 'task-ended')).toHaveLength(3);
});

it('a proxy that cannot be read is thrown for one record, and costs that record only', async () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const work = syncTask((n: number) => {
    if (n === 1) throw proxy;
    return n;
  });
  const { summary, outputs } = await runToEnd([task('S', [], sourceTask(range(3))), task('W', ['S'], work)], {
    deadLetters: recordingDeadLetters(),
  });
  expect([summary.outcome, summary.deadLettered, outputs['W']]).toEqual(['completed', 1, [0, 2]]);
});

describe('records others want', () => {
  it('still come when a join that has no hope stops wanting them', async () => {
    const sink = recordingSink<number>();
    const { summary } = await runToEnd(
      [
        task('left', [], sourceTask(range(1000))),
        task(
          'right',
          [],
          sourceTask(() => EMPTY),
        ),
        task('both', ['left', 'right'], keep, { join: 'latest' }),
        task('Keep', ['left'], sink.task),
      ],
      { window: 16 },
    );
    expect(sink.records).toEqual(range(1000));
    expect(summary.skipped).toBe(1000);
  });

  it('are still written when the join behind a sink has no hope', async () => {
    const written: number[] = [];
    await runToEnd(
      [
        task('left', [], sourceTask(range(1000))),
        task(
          'Keep',
          ['left'],
          sinkTask<number>((n) => void written.push(n)),
        ),
        task(
          'right',
          [],
          sourceTask(() => EMPTY),
        ),
        task('both', ['Keep', 'right'], keep, { join: 'latest' }),
      ],
      { window: 16 },
    );
    expect(written).toEqual(range(1000));
  });

  it('still come when an operator that has enough stops wanting them', async () => {
    const sink = recordingSink<number>();
    const { outputs } = await runToEnd(
      [
        task('S', [], sourceTask(range(1000))),
        task('O', ['S'], operatorTask<number, number>(take(3))),
        task('All', ['O'], keep, { join: 'all' }),
        task('Keep', ['S'], sink.task),
      ],
      { window: 16 },
    );
    expect([sink.records, outputs['All']]).toEqual([range(1000), [[0, 1, 2]]]);
  });
});

describe('an operator that has enough', () => {
  it('lets what is on its way to it settle', async () => {
    const slow = asyncTask(async (n: number) => {
      for (let i = 0; i < n % 4; i++) await new Promise((resolve) => setImmediate(resolve));
      return n;
    });
    function* naturals(): Generator<number> {
      for (let n = 0; ; n++) yield n;
    }
    const { outputs, summary } = await runToEnd(
      [
        task(
          'S',
          [],
          sourceTask(() => naturals()),
        ),
        task('T', ['S'], slow),
        task('O', ['T'], operatorTask<number, number>(take(3))),
      ],
      { window: 16 },
    );
    expect([outputs['O']?.length, summary.outcome]).toEqual([3, 'completed']);
  });
});

describe('a latest join', () => {
  it('can pair a stream with an aggregate over the same stream', async () => {
    const clock = virtualClock();
    const ended = runToEnd(
      [
        task('S', [], sourceTask(range(100))),
        task('Sum', ['S'], aggregateTask({ init: () => 0, add: (s, n: number) => s + n, finish: (s) => s })),
        task('Share', ['S', 'Sum'], keep, { join: 'latest' }),
      ],
      { clock, window: 8 },
    );
    const { outputs } = await clock.runUntil(ended);
    expect((outputs['Share'] as [number, number][]).every(([, sum]) => sum === 4950)).toBe(true);
    expect(outputs['Share']?.length).toBeGreaterThan(0);
  });
});

describe('a synchronous task whose function is asynchronous after all', () => {
  it.each([0, 1])('fails the run in words, whatever promise rejects (record %i)', async (rejected) => {
    const wrong = syncTask(async (n: number) => {
      if (n === rejected) throw new Error('inside');
      return Promise.resolve(n);
    });
    const ended = runToEnd([task('S', [], sourceTask(range(3))), task('T', ['S'], wrong)]);
    await expect(ended).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_OPTION',
      message: "The function of 'T' returned a promise, but its kind of task is synchronous. Use asyncTask",
    });
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('is found out behind records that ended early', async () => {
    const wrong = syncTask((n: number) => (n === 0 ? skip('zero') : Promise.resolve(n)));
    const ended = runToEnd([task('S', [], sourceTask(range(3))), task('T', ['S'], wrong)]);
    await expect(ended).rejects.toMatchObject({ code: 'MILLRACE_INVALID_OPTION' });
  });
});

describe('a fallback', () => {
  const positive = z.number().positive();
  it('is written by a writer in place of the record that does not fit', async () => {
    const sink = recordingSink<number>({ input: positive, onFailure: { fallback: 7 } });
    const { outputs, summary } = await runToEnd([task('S', [], sourceTask([1, -1, 2])), task('K', ['S'], sink.task)]);
    expect([sink.records, outputs['K'], summary.deadLettered]).toEqual([[1, 7, 2], [1, 7, 2], 0]);
  });

  it('may decide to skip', async () => {
    const fragile = syncTask(
      (n: number): number => {
        if (n === 1) throw new Error('one');
        return n;
      },
      { onFailure: { fallback: (() => skip('given up')) as never } },
    );
    const { outputs, summary } = await runToEnd([task('S', [], sourceTask(range(3))), task('T', ['S'], fragile)]);
    expect([outputs['T'], summary.skipped]).toEqual([[0, 2], 1]);
  });

  const bad = (n: number): number => {
    if (n === 1) throw new Error('one');
    return n;
  };
  const onFailure = { fallback: -1 as never };
  it.each<[string, TaskDeclaration['task']]>([
    [
      'an aggregate',
      aggregateTask({ init: () => 0, add: (s, n: number) => s + bad(n), finish: (s) => s }, { onFailure }),
    ],
    ['an expanding task', expandTask((n: number) => [bad(n)], { onFailure })],
    [
      'an operator',
      operatorTask(
        map((n: number) => n),
        { onFailure, input: z.number().refine((n) => n !== 1) },
      ),
    ],
  ])('cannot stand for a record that %s takes in: that is a dead letter, not a silent loss', async (_, does) => {
    const deadLetters = recordingDeadLetters();
    await runToEnd([task('S', [], sourceTask(range(3))), task('B', ['S'], does)], { deadLetters });
    expect(deadLetters.letters.map(({ record }) => record)).toEqual([1]);
  });

  it('of a task does not stand for what its join could not make', async () => {
    const deadLetters = recordingDeadLetters();
    const sum = syncTask((children: number[]) => children.length, { onFailure: { fallback: -1 } });
    const { outputs } = await runToEnd(
      [
        task('S', [], sourceTask([1, 9, 2])),
        task(
          'E',
          ['S'],
          expandTask((n: number) => range(n)),
        ),
        task('G', ['E'], sum, { join: 'gather', limit: 5 }),
      ],
      { deadLetters },
    );
    expect([outputs['G'], deadLetters.letters.length]).toEqual([[1, 2], 1]);
  });
});

describe('a long synchronous stretch', () => {
  it.each<[string, () => TaskDeclaration[]]>([
    [
      'of a chain',
      () => [
        task('S', [], sourceTask(range(300))),
        task(
          'a',
          ['S'],
          syncTask((n: number) => spin(n)),
        ),
        task(
          'b',
          ['a'],
          syncTask((n: number) => spin(n)),
        ),
      ],
    ],
    [
      'in front of the first await',
      () => [
        task('S', [], sourceTask(range(500))),
        task(
          'a',
          ['S'],
          asyncTask(async (n: number) => spin(n)),
        ),
      ],
    ],
    [
      'of a source',
      () => [
        task(
          'S',
          [],
          sourceTask(function* () {
            for (let n = 0; n < 500; n++) yield spin(n);
          } as never),
        ),
        task('T', ['S'], keep),
      ],
    ],
    [
      'of an expansion',
      () => [
        task('S', [], sourceTask([1])),
        task(
          'E',
          ['S'],
          expandTask(function* () {
            for (let n = 0; n < 500; n++) yield spin(n);
          }),
        ),
      ],
    ],
    [
      'of an aggregate',
      () => [
        task('S', [], sourceTask(range(500))),
        task(
          'A',
          ['S'],
          aggregateTask({ init: () => 0, add: (sum, n: number) => sum + spin(n), finish: (sum) => sum }),
        ),
      ],
    ],
    [
      'of finishing an aggregate',
      () => [
        task('S', [], sourceTask(range(500))),
        task(
          'A',
          ['S'],
          aggregateTask({ key: (n: number) => n, init: () => 0, add: () => 0, finish: (sum) => spin(sum) }),
        ),
      ],
    ],
    [
      'of an operator',
      () => [task('S', [], sourceTask(range(500))), task('O', ['S'], operatorTask(map((n: number) => spin(n))))],
    ],
    [
      'of a sink',
      () => [
        task('S', [], sourceTask(range(500))),
        task(
          'K',
          ['S'],
          sinkTask((n: number) => void spin(n)),
        ),
      ],
    ],
  ])('%s lets the event loop turn', async (_, tasks) => {
    // Half a second of work in stretches of about 10 ms turns the loop dozens of times; without yielding, a handful.
    expect(await turnsDuring(() => runToEnd(tasks()))).toBeGreaterThan(15);
  });
});
