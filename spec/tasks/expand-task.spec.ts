import { describe, expect, it } from '@jest/globals';
import { asyncTask, expandTask, operatorTask, skip, sourceTask, syncTask } from 'millrace';
import { recordingDeadLetters } from 'millrace/testing';
import { take } from 'rxjs';
import { runToEnd, task } from '../support/run-to-end.js';

const keep = syncTask<unknown, unknown>((value) => value);
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
function* naturals(): Generator<number> {
  for (let n = 0; ; n++) yield n;
}

describe('an expanding task', () => {
  it('keeps the children that were born before its function threw, and gives the parent up', async () => {
    const deadLetters = recordingDeadLetters();
    const torn = expandTask(function* (n: number) {
      yield n;
      yield n;
      if (n === 2) throw new Error('torn');
    } as (n: number) => Generator<number>);
    const { outputs } = await runToEnd(
      [
        task('S', [], sourceTask([1, 2, 3])),
        task('E', ['S'], torn),
        task('G', ['E'], keep, { join: 'gather' }),
        task('both', ['S', 'G'], keep),
      ],
      { deadLetters, window: 1 },
    );
    expect(outputs['E']).toEqual([1, 1, 2, 2, 3, 3]);
    expect(outputs['both']).toEqual([
      [1, [1, 1]],
      [3, [3, 3]],
    ]);
    expect(deadLetters.letters).toMatchObject([{ task: 'E', record: 2, message: 'torn', lineage: { number: 1 } }]);
  });

  it.each<[string, (n: number) => unknown]>([
    ['a number', (n) => n],
    ['null', () => null],
    ['undefined', () => undefined],
    ['a promise of a number', (n) => Promise.resolve(n)],
    ['a promise of null', () => Promise.resolve(null)],
    ['a rejection', () => Promise.reject(new TypeError('not an iterable of children'))],
  ])('gives up only the parent whose function returned %s', async (_, wrong) => {
    const deadLetters = recordingDeadLetters();
    const odd = expandTask(((n: number) => (n === 2 ? wrong(n) : [n, n])) as never);
    const { outputs, summary } = await runToEnd([task('S', [], sourceTask([1, 2, 3])), task('E', ['S'], odd)], {
      deadLetters,
    });
    expect(outputs['E']).toEqual([1, 1, 3, 3]);
    expect([summary.outcome, summary.deadLettered]).toEqual(['completed', 1]);
    expect(deadLetters.letters[0]?.message).toMatch(/iterable of children/);
  });

  it('pulls an endless expansion no further than the window', async () => {
    let drawn = 0;
    function* counted(): Generator<number> {
      for (;;) yield drawn++;
    }
    const controller = new AbortController();
    const ended = runToEnd(
      [
        task('S', [], sourceTask([1])),
        task(
          'E',
          ['S'],
          expandTask(() => counted()),
        ),
        task(
          'T',
          ['E'],
          asyncTask(() => new Promise<number>(() => undefined)),
        ),
      ],
      { window: 6, signal: controller.signal },
    );
    while (drawn < 6) await turn();
    for (let i = 0; i < 10; i++) await turn();
    expect(drawn).toBe(6);
    controller.abort();
    expect((await ended).summary.outcome).toBe('cancelled');
  });

  it('releases the generator of a parent that nobody wants more of', async () => {
    let isReleased = false;
    function* endless(): Generator<number> {
      try {
        yield* naturals();
      } finally {
        isReleased = true;
      }
    }
    const { outputs, summary } = await runToEnd([
      task('S', [], sourceTask(range(50))),
      task(
        'E',
        ['S'],
        expandTask(() => endless()),
      ),
      task('O', ['E'], operatorTask<number, number>(take(3))),
    ]);
    expect([outputs['O'], isReleased, summary.outcome]).toEqual([[0, 1, 2], true, 'completed']);
  });

  it('ends although a parent was being opened when nobody wanted more', async () => {
    let opens = 0;
    const slow = expandTask(async (n: number) => {
      opens++;
      for (let i = 0; n > 0 && i < 10; i++) await turn();
      return n === 0 ? [1, 2, 3] : naturals();
    });
    const { outputs, summary } = await runToEnd(
      [
        task('S', [], sourceTask([0, 1, 2])),
        task('E', ['S'], slow),
        task(
          'A',
          ['E'],
          asyncTask(async (n: number) => {
            await turn();
            return n;
          }),
        ),
        task('O', ['A'], operatorTask<number, number>(take(3))),
      ],
      { window: 4 },
    );
    expect([outputs['O'], opens, summary.outcome]).toEqual([[1, 2, 3], 2, 'completed']);
  });

  it.each([
    ['fail', () => Promise.reject(new Error('too late to matter'))],
    ['never come', () => new Promise(() => undefined)],
    ['come late', () => Promise.resolve()],
  ])('ends although the children of a parent that nobody wants %s afterwards', async (_, last) => {
    const torn = expandTask(async function* () {
      yield* [1, 2, 3];
      for (let i = 0; i < 10; i++) await turn();
      await last();
      yield 4;
    } as () => AsyncGenerator<number>);
    const slow = asyncTask(async (n: number) => {
      for (let i = 0; i < 30; i++) await turn();
      return n;
    });
    const { outputs, summary } = await runToEnd([
      task('S', [], sourceTask([0])),
      task('E', ['S'], torn),
      task('O', ['E'], operatorTask<number, number>(take(3))),
      task('Slow', ['S'], slow),
    ]);
    expect([outputs['O'], outputs['Slow'], summary.outcome]).toEqual([[1, 2, 3], [0], 'completed']);
    expect(summary.deadLettered).toBe(0);
  });

  it('expands no parent that comes when nobody wants more', async () => {
    let expanded = 0;
    const counted = expandTask((n: number) => {
      expanded++;
      return [n];
    });
    const slow = asyncTask(async (n: number) => {
      for (let i = 0; n > 0 && i < 10; i++) await turn();
      return n;
    });
    const { summary } = await runToEnd([
      task('S', [], sourceTask(range(20))),
      task('A', ['S'], slow),
      task('E', ['A'], counted),
      task('O', ['E'], operatorTask<number, number>(take(1))),
    ]);
    expect([expanded, summary.tasks['E']?.skipReasons]).toEqual([1, { 'nobody wants more': 19 }]);
  });

  it('lets parents that it skipped pass through whoever gathers them', async () => {
    const late = asyncTask(async (n: number) => {
      for (let i = 0; i < n; i++) await turn();
      return n;
    });
    const { summary } = await runToEnd([
      task('S', [], sourceTask(range(20))),
      task('A', ['S'], late),
      task(
        'E',
        ['A'],
        expandTask((n: number) => [n]),
      ),
      task('G', ['E'], keep, { join: 'gather' }),
      task(
        'Nothing',
        ['S'],
        syncTask(() => skip('nothing')),
      ),
      task('Never', ['G', 'Nothing'], keep, { join: 'latest' }),
    ]);
    expect(summary.outcome).toBe('completed');
    expect(summary.tasks['E']?.skipReasons).toHaveProperty('nobody wants more');
  });

  it('expands what was expanded, and gathers it back level by level', async () => {
    const { outputs } = await runToEnd(
      [
        task('S', [], sourceTask(['ab-c', '', 'd'])),
        task(
          'words',
          ['S'],
          expandTask((line: string) => line.split('-').filter((word) => word !== '')),
        ),
        task(
          'letters',
          ['words'],
          expandTask((word: string) => Array.from(word)),
        ),
        task(
          'upper',
          ['letters'],
          asyncTask(async (letter: string) => letter.toUpperCase()),
        ),
        task(
          'word',
          ['upper'],
          syncTask((letters: string[]) => letters.join('')),
          { join: 'gather' },
        ),
        task(
          'line',
          ['word'],
          syncTask((words: string[]) => words.join('-')),
          { join: 'gather' },
        ),
        task('both', ['S', 'line'], keep),
      ],
      { window: 2 },
    );
    expect((outputs['both'] as string[][]).sort()).toEqual([
      ['', ''],
      ['ab-c', 'AB-C'],
      ['d', 'D'],
    ]);
  });
});
