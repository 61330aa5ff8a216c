import { describe, expect, it } from '@jest/globals';
import { asyncTask, expandTask, skip, sourceTask, syncTask, type JoinOptions } from 'millrace';
import { recordingDeadLetters, scriptedSource, virtualClock } from 'millrace/testing';
import { EMPTY, NEVER } from 'rxjs';
import { runToEnd, task } from '../support/run-to-end.js';

const keep = syncTask<unknown, unknown>((value) => value);
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

describe('an aligned join', () => {
  it('pairs by lineage, whatever the branches take', async () => {
    const { outputs } = await runToEnd([
      task('S', [], sourceTask(range(500))),
      task(
        'a',
        ['S'],
        asyncTask(async (n: number) => (n % 3 === 0 ? new Promise((r) => setImmediate(r, n)) : n)),
      ),
      task(
        'b',
        ['S'],
        asyncTask(async (n: number) => (n % 5 === 0 ? new Promise((r) => setTimeout(r, 1, n)) : n)),
      ),
      task('both', ['a', 'b'], keep),
    ]);
    expect(outputs['both']?.length).toBe(500);
    expect((outputs['both'] as [number, number][]).filter(([a, b]) => a !== b)).toEqual([]);
  });

  it('does not wait for a record that ended in one branch', async () => {
    const { outputs, summary } = await runToEnd([
      task('S', [], sourceTask(range(10))),
      task(
        'odd',
        ['S'],
        syncTask((n: number) => (n % 2 === 0 ? skip('even') : n)),
      ),
      task('both', ['S', 'odd'], keep),
    ]);
    expect(outputs['both']).toEqual([1, 3, 5, 7, 9].map((n) => [n, n]));
    expect(summary.skipped).toBe(5);
  });

  it('does not multiply outputs in stacked diamonds', async () => {
    const layers = range(6).flatMap((n) => {
      const from = n === 0 ? 'S' : `join${n - 1}`;
      return [
        task(`l${n}`, [from], keep),
        task(`r${n}`, [from], keep),
        task(
          `join${n}`,
          [`l${n}`, `r${n}`],
          syncTask<unknown, unknown>((pair) => (pair as unknown[])[0]),
        ),
      ];
    });
    const { outputs } = await runToEnd([task('S', [], sourceTask(range(50))), ...layers]);
    expect(outputs['join5']).toEqual(range(50));
  });
});

describe('a latest join', () => {
  const latest: JoinOptions = { join: 'latest' };

  it('loses nothing of two synchronous sources, the first values least of all', async () => {
    const { outputs, summary } = await runToEnd([
      task('left', [], sourceTask(range(1000))),
      task('right', [], sourceTask(['a', 'b'])),
      task('both', ['left', 'right'], keep, latest),
    ]);
    const pairs = outputs['both'] as [number, string][];
    expect(new Set(pairs.map(([left]) => left)).size).toBe(1000);
    expect(pairs[0]).toEqual([0, 'a']);
    expect(pairs.at(-1)).toEqual([999, 'b']);
    expect(summary.skipped).toBe(0);
  });

  it('pairs each arrival with the newest of the other side', async () => {
    const clock = virtualClock();
    const prices = scriptedSource([1, 2, 3].map((price) => ({ at: price * 100, record: price })).concat(), clock);
    const settings = scriptedSource(
      [
        { at: 0, record: 'x' },
        { at: 250, record: 'y' },
        { at: 400, end: true },
      ],
      clock,
    );
    const ended = runToEnd(
      [
        task(
          'price',
          [],
          scriptedSource(
            [...[1, 2, 3].map((price) => ({ at: price * 100, record: price })), { at: 400, end: true as const }],
            clock,
          ),
        ),
        task('setting', [], settings),
        task('both', ['price', 'setting'], keep, latest),
      ],
      { clock },
    );
    expect(prices).toBeDefined();
    const { outputs } = await clock.runUntil(ended);
    expect(outputs['both']).toEqual([
      [1, 'x'],
      [2, 'x'],
      [2, 'y'],
      [3, 'y'],
    ]);
  });

  it('counts as skipped what an empty side leaves without a partner, and stops the source', async () => {
    let drawn = 0;
    const { outputs, summary } = await runToEnd(
      [
        task(
          'left',
          [],
          sourceTask(function* () {
            for (;;) yield drawn++;
          } as never),
        ),
        task(
          'right',
          [],
          sourceTask(() => EMPTY),
        ),
        task('both', ['left', 'right'], keep, latest),
      ],
      { window: 16 },
    );
    expect(outputs['both']).toEqual([]);
    expect(summary.outcome).toBe('completed');
    expect(summary.skipped).toBe(summary.tasks['left']?.out);
    expect(drawn).toBeLessThan(200);
  });

  it('does not starve when both sides descend from one source and one of them filters', async () => {
    const { outputs, summary } = await runToEnd(
      [
        task('S', [], sourceTask(range(100))),
        task(
          'late',
          ['S'],
          syncTask((n: number) => (n < 90 ? skip('early') : n)),
        ),
        task('both', ['S', 'late'], keep, latest),
      ],
      { window: 4 },
    );
    expect(outputs['both']?.at(-1)).toEqual([99, 99]);
    expect((outputs['both'] as unknown[][])[0]?.[0]).toBe(0);
    expect(summary.skipped).toBeGreaterThan(90);
  });
});

describe('a keyed join', () => {
  const orders = [
    { user: 1, item: 'tea' },
    { user: 2, item: 'ink' },
    { user: 9, item: 'rope' },
    { user: 1, item: 'cup' },
  ];
  const users = [
    { id: 1, name: 'Ada' },
    { id: 2, name: 'Grace' },
    { id: 3, name: 'Edsger' },
  ];
  const on = [(order: { user: number }) => order.user, (user: { id: number }) => user.id] as never;
  const named = (kind: 'inner' | 'left' | 'outer'): Promise<Awaited<ReturnType<typeof runToEnd>>> =>
    runToEnd([
      task('orders', [], sourceTask(orders)),
      task('users', [], sourceTask(users)),
      task('both', ['orders', 'users'], keep, { join: 'keyed', kind, on }),
    ]);
  const label = (pair: unknown): string => {
    const [order, user] = pair as [{ item: string } | undefined, { name: string } | undefined];
    return `${order?.item ?? '-'} ${user?.name ?? '-'}`;
  };

  it.each([
    ['inner', ['cup Ada', 'ink Grace', 'tea Ada'], 2],
    ['left', ['cup Ada', 'ink Grace', 'rope -', 'tea Ada'], 1],
    ['outer', ['- Edsger', 'cup Ada', 'ink Grace', 'rope -', 'tea Ada'], 0],
  ] as const)('emits for %s what it should, and counts the rest', async (kind, expected, skipped) => {
    const { outputs, summary } = await named(kind);
    expect(outputs['both']?.map(label).sort()).toEqual(expected);
    expect(summary.skipped).toBe(skipped);
  });

  it('dead-letters what it evicts without a match, and keeps no more than its capacity', async () => {
    const deadLetters = recordingDeadLetters();
    const { summary } = await runToEnd(
      [
        task('left', [], sourceTask(range(50))),
        task(
          'right',
          [],
          sourceTask(() => NEVER),
        ),
        task('both', ['left', 'right'], keep, { join: 'keyed', kind: 'inner', on: [(n) => n, (n) => n], capacity: 10 }),
      ],
      { deadLetters, signal: AbortSignal.timeout(300) },
    );
    expect(summary.deadLettered).toBe(40);
    expect(deadLetters.letters[0]).toMatchObject({ task: 'both', code: 'MILLRACE_EVICTED', record: 0 });
    expect(deadLetters.letters[0]?.message).toBe(
      "'both' gave up waiting for a match of a record of 'left' with key 0 (number): 10 records are kept per side. Raise `capacity`",
    );
  });

  it('dead-letters a record whose key cannot be made', async () => {
    const { summary, outputs } = await runToEnd([
      task('left', [], sourceTask([1, 2, 3])),
      task('right', [], sourceTask([1, 2, 3])),
      task('both', ['left', 'right'], keep, {
        join: 'keyed',
        kind: 'inner',
        on: [
          (n: number) => {
            if (n === 2) throw new Error('no key');
            return n;
          },
          (n) => n,
        ],
      }),
    ]);
    expect(outputs['both']?.length).toBe(2);
    expect([summary.deadLettered, summary.skipped]).toEqual([1, 1]);
  });

  it('emits more pairs than the window holds, one after the other', async () => {
    const { outputs } = await runToEnd(
      [
        task('left', [], sourceTask(range(40))),
        task('right', [], sourceTask(range(40))),
        task('both', ['left', 'right'], keep, { join: 'keyed', kind: 'inner', on: [() => 1, () => 1] }),
      ],
      { window: 3 },
    );
    expect(outputs['both']?.length).toBe(1600);
  });
});

describe('an all join', () => {
  it('waits for the end and hands over collections', async () => {
    const { outputs } = await runToEnd([
      task('a', [], sourceTask(range(5))),
      task('b', [], sourceTask([])),
      task('both', ['a', 'b'], keep, { join: 'all' }),
      task('alone', ['a'], keep, { join: 'all' }),
    ]);
    expect(outputs['both']).toEqual([[range(5), []]]);
    expect(outputs['alone']).toEqual([range(5)]);
  });

  it('fails the run rather than hand over a part', async () => {
    await expect(
      runToEnd([task('a', [], sourceTask(range(5))), task('all', ['a'], keep, { join: 'all', limit: 4 })]),
    ).rejects.toMatchObject({
      code: 'MILLRACE_COLLECT_OVERFLOW',
      message: "'all' collects all of 'a', which gave more than 4 records. Raise `limit`, or join record by record",
    });
  });
});

describe('gather', () => {
  it('closes a group with its last child: empty ones, gone parents and gone children included', async () => {
    const { outputs } = await runToEnd([
      task('S', [], sourceTask(['', 'a b c', 'x', 'd e'])),
      task(
        'kept',
        ['S'],
        syncTask((line: string) => (line === 'x' ? skip('x') : line)),
      ),
      task(
        'words',
        ['kept'],
        expandTask((line: string) => line.split(' ').filter((word) => word !== '')),
      ),
      task(
        'word',
        ['words'],
        syncTask((word: string) => (word === 'b' ? skip('b') : word)),
      ),
      task('lines', ['word'], keep, { join: 'gather' }),
      task('both', ['S', 'lines'], keep),
    ]);
    expect(outputs['both']).toEqual(
      expect.arrayContaining([
        ['', []],
        ['a b c', ['a', 'c']],
        ['d e', ['d', 'e']],
      ]),
    );
    expect(outputs['both']?.length).toBe(3);
  });

  it('fails a parent with more children than the limit, and only that one', async () => {
    const { outputs, summary } = await runToEnd([
      task('S', [], sourceTask([2, 50, 3])),
      task(
        'children',
        ['S'],
        expandTask((n: number) => range(n)),
      ),
      task('gathered', ['children'], keep, { join: 'gather', limit: 10 }),
    ]);
    expect(outputs['gathered']).toEqual([range(2), range(3)]);
    expect(summary.deadLettered).toBe(1);
  });
});
