/** Outputs that are remembered across runs: the same results as without a memory, and less work. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  asyncTask,
  cpuTask,
  expandTask,
  skip,
  sourceTask,
  syncTask,
  type ExpandOptions,
  type MemoStore,
  type RunOptions,
  type Task,
} from 'millrace';
import { recordingDeadLetters, virtualClock } from 'millrace/testing';
import { runToEnd, task, type Ended } from '../support/run-to-end.js';
import * as numbers from '../workers/modules/numbers.js';
import { memoryStore } from './support/memory-store.js';

const TEN = Array.from({ length: 10 }, (_, n) => n);

async function runOver<In>(records: readonly In[], does: Task<In, unknown>, options: RunOptions = {}): Promise<Ended> {
  return runToEnd([task('Read', [], sourceTask(records)), task('Work', ['Read'], does)], options);
}

const memoOf = (ended: Ended): unknown => ended.summary.tasks['Work']?.memo;
const noticesOf = ({ events }: Ended): string[] =>
  events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));

/** Counts its calls. */
function squaring(store: MemoStore): { readonly calls: number[]; readonly make: () => Task<number, number> } {
  const calls: number[] = [];
  const make = (): Task<number, number> =>
    syncTask(
      (n: number) => {
        calls.push(n);
        return n * n;
      },
      { memo: { store, version: 1 } },
    );
  return { calls, make };
}

describe('a task that remembers', () => {
  it('processes a record once, and finds its output in the next run', async () => {
    const store = memoryStore();
    const { calls, make } = squaring(store);
    const first = await runOver(TEN, make());
    const second = await runOver([...TEN, 10], make());
    expect(first.outputs['Work']).toEqual(TEN.map((n) => n * n));
    expect(second.outputs['Work']).toEqual([...TEN, 10].map((n) => n * n));
    expect(calls).toEqual([...TEN, 10]);
    expect([memoOf(first), memoOf(second)]).toEqual([
      { hits: 0, misses: 10, stored: 10 },
      { hits: 10, misses: 1, stored: 1 },
    ]);
    expect(second.summary.tasks['Work']).toMatchObject({ in: 11, out: 11, status: 'completed' });
    const progress = second.events.filter((event) => event.type === 'progress').at(-1);
    expect(progress?.tasks['Work']?.memo).toEqual({ hits: 10, misses: 1, stored: 1 });
  });

  it('misses when its function, its version, its name or its code is another one', async () => {
    const store = memoryStore();
    const missesOf = async (does: Task<number, unknown>, name = 'Work'): Promise<number | undefined> => {
      const ended = await runToEnd([task('Read', [], sourceTask([1])), task(name, ['Read'], does)]);
      return ended.summary.tasks[name]?.memo?.misses;
    };
    const here = import.meta.url;
    const tried = [
      () => missesOf(syncTask((n: number) => n + 1, { memo: { store, version: 1 } })),
      () => missesOf(syncTask((n: number) => n + 2, { memo: { store, version: 1 } })),
      () => missesOf(syncTask((n: number) => n + 1, { memo: { store, version: [1, 'rate'] } })),
      () =>
        missesOf(
          syncTask((n: number) => n + 1, { memo: { store, version: 1 } }),
          'Other',
        ),
      () => missesOf(syncTask((n: number) => n + 1, { memo: { store, version: 1, module: here } })),
      () =>
        missesOf(
          syncTask((n: number) => n + 1, {
            memo: { store, version: 1, module: new URL('./exact-text.spec.js', here) },
          }),
        ),
    ];
    for (const first of tried) expect(await first()).toBe(1);
    for (const again of tried) expect(await again()).toBe(0);
  });

  it('stores no skip, no dead letter, no fallback and no failed path', async () => {
    const store = memoryStore();
    const work = (n: number): number => {
      if (n === 1) return skip('one') as never;
      if (n === 2) throw new Error('two');
      return n;
    };
    const memo = { store, version: 1 };
    const deadLetters = recordingDeadLetters();
    await runOver([0, 1, 2], syncTask(work, { memo }), { deadLetters });
    expect([store.entries.size, deadLetters.letters.length]).toEqual([1, 1]);
    const fallen = await runOver([2], syncTask(work, { memo, onFailure: { fallback: -1 } }));
    expect(fallen.outputs['Work']).toEqual([-1]);
    const failing = [
      task('Read', [], sourceTask([2, 3])),
      task(
        'Work',
        ['Read'],
        asyncTask(async (n: number) => work(n), { memo }),
      ),
      task(
        'Failed',
        ['Work.failed'],
        syncTask((letter: { readonly record: number }) => letter.record),
      ),
      task(
        'Fine',
        ['Work'],
        syncTask((n: number) => n),
      ),
    ];
    for (const misses of [2, 1]) {
      const { outputs, summary } = await runToEnd(failing);
      expect([outputs['Failed'], outputs['Fine']]).toEqual([[2], [3]]);
      expect(summary.tasks['Work']?.memo?.misses).toBe(misses);
    }
    expect(store.entries.size).toBe(2);
  });

  it('takes a damaged entry for a miss, with one notice, and repairs it', async () => {
    const store = memoryStore();
    const { calls, make } = squaring(store);
    await runOver(TEN, make());
    const [first, second, third, fourth] = [...store.entries.keys()] as [string, string, string, string];
    const text = store.entries.get(first) as string;
    store.entries.set(first, text.slice(0, -9));
    store.entries.set(second, text.replace(/"output":"\d+"/, '"output":"7"'));
    store.entries.set(third, store.entries.get(fourth) as string);
    const damaged = await runOver(TEN, make());
    expect(damaged.outputs['Work']).toEqual(TEN.map((n) => n * n));
    expect(memoOf(damaged)).toEqual({ hits: 7, misses: 3, stored: 3 });
    expect(noticesOf(damaged)).toEqual([expect.stringMatching(/'Work' does not remember all.*an entry is damaged/)]);
    expect(calls).toHaveLength(13);
    expect(memoOf(await runOver(TEN, make()))).toMatchObject({ hits: 10 });
  });

  it('loses no record to a store that fails', async () => {
    const broken = memoryStore(() => {
      throw new Error('gone');
    });
    const ended = await runOver(TEN, squaring(broken).make());
    expect(ended.outputs['Work']).toEqual(TEN.map((n) => n * n));
    expect(memoOf(ended)).toEqual({ hits: 0, misses: 10, stored: 0 });
    expect(noticesOf(ended)).toEqual([
      expect.stringMatching(/its store cannot be read: gone/),
      expect.stringMatching(/its store cannot be written: gone/),
    ]);
  });

  it('remembers nothing of values without an exact text, and says so once', async () => {
    const store = memoryStore();
    const memo = { store, version: 1 };
    class Money {
      readonly cents = 1;
    }
    const inputs = await runOver(
      [new Money(), new Money()],
      syncTask(() => 1, { memo }),
    );
    const outputs = await runOver(
      [1, 2],
      syncTask(() => new Money(), { memo }),
    );
    expect([inputs.outputs['Work'], outputs.outputs['Work']]).toEqual([
      [1, 1],
      [new Money(), new Money()],
    ]);
    expect([noticesOf(inputs), noticesOf(outputs)]).toEqual([
      [expect.stringMatching(/its records contain/)],
      [expect.stringMatching(/its outputs contain/)],
    ]);
    expect(store.entries.size).toBe(0);
  });

  it('keeps what the function returned, not what was made of it afterwards', async () => {
    const store = memoryStore();
    const tasks = [
      task('Read', [], sourceTask([1])),
      task(
        'Work',
        ['Read'],
        syncTask((n: number) => ({ n }), { memo: { store, version: 1 } }),
      ),
      task(
        'Change',
        ['Work'],
        syncTask((one: { n: number }) => ++one.n),
      ),
    ];
    expect((await runToEnd(tasks)).outputs['Change']).toEqual([2]);
    expect((await runToEnd(tasks)).outputs['Change']).toEqual([2]);
  });

  it('has at most 32 calls of the store at a time, and holds no more than the window', async () => {
    const store = memoryStore(() => new Promise((resolve) => setImmediate(resolve)));
    const records = Array.from({ length: 500 }, (_, n) => n);
    const ended = await runOver(records, squaring(store).make(), { window: 100 });
    expect(ended.outputs['Work']).toEqual(records.map((n) => n * n));
    expect(store.mostPending).toBe(32);
  });

  it('remembers the outputs of threads', async () => {
    const store = memoryStore();
    const make = (): Task<number, number> => cpuTask(numbers.double, { ordered: true, memo: { store } });
    const first = await runOver(TEN, make(), { threads: 1 });
    const second = await runOver(TEN, make(), { threads: 1 });
    expect([first.outputs['Work'], second.outputs['Work']]).toEqual([TEN.map((n) => 2 * n), TEN.map((n) => 2 * n)]);
    expect(memoOf(second)).toEqual({ hits: 10, misses: 0, stored: 0 });
  });

  it('opens its store before the first record, and fails the run if that fails', async () => {
    const store = { ...memoryStore(), open: () => Promise.reject(new Error('locked away')) };
    await expect(runOver(TEN, squaring(store).make())).rejects.toThrow(/'Work' could not be opened: locked away/);
  });

  it('is refused by a task with several outputs per record, with the tasks that have it', async () => {
    const memo = { store: memoryStore(), version: 1 };
    const work = (): readonly number[] => [];
    expect(() => expandTask(work, { memo } as ExpandOptions<number, number>)).toThrow(
      'An expandTask has no option `memo`. syncTask, asyncTask, cpuTask and requestTask have it, because each output belongs to one record. To remember several records, let one of them return a list, and put an expandTask behind it',
    );
    const list = (): Task<number, number[]> => asyncTask(async (n: number) => [n, -n], { memo });
    for (const misses of [2, 0]) {
      const tasks = [
        task('Read', [], sourceTask([1, 2])),
        task('Work', ['Read'], list()),
        task(
          'Each',
          ['Work'],
          expandTask((all: readonly number[]) => all),
        ),
      ];
      const ended = await runToEnd(tasks);
      expect(ended.outputs['Each']).toEqual([1, -1, 2, -2]);
      expect(memoOf(ended)).toMatchObject({ misses, hits: 2 - misses });
    }
  });

  it('is refused without a store, and without a module or a version', () => {
    const store = memoryStore();
    const make = (memo: unknown) => () => syncTask(() => 1, { memo } as never);
    expect(make({})).toThrow('Expected `store` of `memo` of a syncTask to be an object with `get`, `put`');
    expect(make({ store })).toThrow(/Expected `module` or `version` in `memo` of a syncTask, got neither/);
    expect(make({ store, versoin: 1 })).toThrow('Did you mean `version`?');
    expect(make({ store, version: { at: new Date(0) } })).toThrow('plain JSON data');
    expect(make({ store, version: undefined, module: 5 })).toThrow('a path or a URL');
  });
});

/** What a run of the case gave: outputs with their order, skips, dead letters. */
async function outcomeOf(
  records: readonly number[],
  { isAsync, isOrdered, window }: { isAsync: boolean; isOrdered: boolean; window: number },
  store: MemoStore | undefined,
): Promise<unknown> {
  const memo = store === undefined ? {} : { memo: { store, version: 1 } };
  const clock = virtualClock();
  const deadLetters = recordingDeadLetters();
  const work = (n: number): unknown => {
    if (n % 5 === 1) return skip('one');
    if (n % 5 === 2) throw new Error('two');
    return { n, even: n % 2 === 0 };
  };
  const slowly = async (n: number): Promise<unknown> => {
    await new Promise<void>((resolve) => clock.schedule((n * 7) % 11, resolve));
    return work(n);
  };
  const tasks = [
    task('Read', [], sourceTask(records)),
    task(
      'Work',
      ['Read'],
      isAsync ? asyncTask(slowly, { ordered: isOrdered, concurrency: 3, ...memo }) : syncTask(work, memo),
    ),
    task(
      'Join',
      ['Work', 'Read'],
      syncTask((pair: unknown) => pair),
    ),
  ];
  const ended = clock.runUntil(runToEnd(tasks, { clock, deadLetters, window }));
  const { outputs, summary } = await ended;
  const inOrder = isOrdered || !isAsync;
  const works = (outputs['Work'] ?? []).map((one) => JSON.stringify(one));
  const { in: received, out, skipped, deadLettered, failed } = summary.tasks['Work'] as (typeof summary.tasks)[string];
  return {
    works: inOrder ? works : works.sort(),
    joins: (outputs['Join'] ?? []).map((one) => JSON.stringify(one)).sort(),
    letters: deadLetters.letters.map(({ lineage, message }) => `${lineage.number} ${message}`).sort(),
    counts: { received, out, skipped, deadLettered, failed },
  };
}

it('law: a run has the same outcome with a memory, without one, and with a full one', async () => {
  const shape = fc.record({ isAsync: fc.boolean(), isOrdered: fc.boolean(), window: fc.integer({ min: 1, max: 20 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(20), { maxLength: 30 }), shape, fc.nat(4), async (records, how, faultEvery) => {
      const store = memoryStore((_, number) => {
        if (faultEvery > 1 && number % faultEvery === 0) throw new Error('store');
      });
      const without = await outcomeOf(records, how, undefined);
      expect(await outcomeOf(records, how, store)).toEqual(without);
      expect(await outcomeOf(records, how, store)).toEqual(without);
    }),
    { numRuns: 60 },
  );
});
