/** Lists that are read page by page, per record. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  asyncTask,
  defineWorkflow,
  retryPolicy,
  seededRandom,
  skip,
  sourceTask,
  syncTask,
  type RunSummary,
} from 'millrace';
import { pageTask, type Paged, type PageOptions } from 'millrace/iterate';
import { memoryCheckpoints, recordingDeadLetters, recordingSink, virtualClock } from 'millrace/testing';

type Item = readonly [list: number, item: number];

/** Lists of items in pages of three. The token is the number of the first item of a page. */
function pageOf(list: number, size: number, token = 0): { items: Item[]; next: number | undefined } {
  const end = Math.min(size, token + 3);
  const items = Array.from({ length: end - token }, (_, n): Item => [list, token + n]);
  return { items, next: end < size ? end : undefined };
}

interface Trial {
  readonly outputs: readonly unknown[];
  readonly letters: readonly { readonly code: string; readonly message: string }[];
  readonly summary: RunSummary;
}

async function trial<Token, Out>(
  records: readonly number[],
  paged: Paged<number, Token, Out>,
  options: PageOptions<number, Exclude<Out, ReturnType<typeof skip>>> = {},
): Promise<Trial> {
  const clock = virtualClock();
  const sink = recordingSink<unknown>();
  const deadLetters = recordingDeadLetters();
  const run = defineWorkflow({
    name: 'Pages',
    build: (flow) =>
      flow
        .task('Read', sourceTask(records))
        .task('List', ['Read'], pageTask(paged, options))
        .task('Keep', ['List'], sink.task),
  }).run(undefined, { clock, deadLetters, seed: 1 });
  const summary = await clock.runUntil(run.finished);
  expect(clock.pending).toBe(0);
  const letters = deadLetters.letters.map(({ code, message }) => ({ code, message }));
  return { outputs: sink.records, letters, summary };
}

describe('a pageTask', () => {
  it('emits the items of each page, and passes the token and the number of a page', async () => {
    const asked: unknown[] = [];
    const { outputs, summary } = await trial([7, 2], {
      page: async (token: number | undefined, { record, page, attempt, task }) => {
        asked.push([record, token, page, attempt, task]);
        return pageOf(record, record, token);
      },
      maxPages: 10,
    });
    expect(outputs).toEqual([...pageOf(7, 7).items, ...pageOf(7, 7, 3).items, [7, 6], [2, 0], [2, 1]]);
    expect(asked).toEqual([
      [7, undefined, 1, 1, 'List'],
      [7, 3, 2, 1, 'List'],
      [7, 6, 3, 1, 'List'],
      [2, undefined, 1, 1, 'List'],
    ]);
    expect(summary.tasks['List']).toMatchObject({ kind: 'pages', in: 2, out: 9, iterations: 4, retried: 0 });
  });

  it('emits the items of a page before it reads the next one', async () => {
    const seen: string[] = [];
    const flow = defineWorkflow({
      name: 'Pages',
      build: (flow) =>
        flow
          .task('Read', sourceTask([7]))
          .task(
            'List',
            ['Read'],
            pageTask({
              page: async (token: number | undefined, { record }) => {
                seen.push(`page ${token ?? 0}`);
                return pageOf(record, record, token);
              },
              maxPages: 10,
            }),
          )
          .task(
            'Print',
            ['List'],
            syncTask(([, item]) => seen.push(`item ${item}`)),
          ),
    });
    await flow.run(undefined, { window: 3 }).finished;
    expect(seen.join()).toBe('page 0,item 0,item 1,item 2,page 3,item 3,item 4,item 5,page 6,item 6');
  });

  it('repeats a page that failed or took too long, with its own attempts, and no other page', async () => {
    const asked: unknown[] = [];
    const { outputs, letters, summary } = await trial(
      [4],
      {
        page: (token: number | undefined, { record, page, attempt, signal }) => {
          asked.push([page, attempt]);
          if (attempt === 1 && page === 1) throw new Error('busy');
          if (attempt === 1) {
            return new Promise<{ items: Item[] }>((_, reject) => {
              signal.addEventListener('abort', () => {
                reject(signal.reason as Error);
              });
            });
          }
          return Promise.resolve(pageOf(record, record, token));
        },
        maxPages: 10,
      },
      { retry: { attempts: 2, jitter: 'none' }, timeoutMs: 1000 },
    );
    expect(letters).toEqual([]);
    expect(outputs).toHaveLength(4);
    expect(asked).toEqual([
      [1, 1],
      [1, 2],
      [2, 1],
      [2, 2],
    ]);
    expect(summary.tasks['List']).toMatchObject({ iterations: 2, retried: 2 });
  });

  it('gives a record up that fails, or that has too many pages, after the items before', async () => {
    const paged: Paged<number, number, Item> = {
      page: async (token, { record }) => {
        if (record === 5 && token === 3) throw new Error('gone');
        return pageOf(record, record, token);
      },
      maxPages: 2,
    };
    const { outputs, letters } = await trial([5, 9, 1], paged, { retry: retryPolicy({ attempts: 3 }) });
    expect(outputs).toHaveLength(3 + 6 + 1);
    expect(letters).toEqual([
      { code: 'MILLRACE_TASK', message: 'gone' },
      {
        code: 'MILLRACE_ITERATIONS',
        message: "'List' has read 2 pages of the record, the most allowed, and there are more. Raise `maxPages`",
      },
    ]);
  });

  it('leaves no timer behind when its run is cancelled during a page, or its function throws at once', async () => {
    for (const isAsync of [true, false]) {
      const clock = virtualClock();
      const run = defineWorkflow({
        name: 'Pages',
        build: (flow) =>
          flow.task('In', sourceTask([1])).task(
            'List',
            ['In'],
            pageTask(
              {
                page: (): Promise<{ items: number[] }> => {
                  if (!isAsync) throw new Error('at once');
                  return new Promise(() => undefined);
                },
                maxPages: 2,
              },
              { timeoutMs: 60_000 },
            ),
          ),
      }).run(undefined, { clock });
      if (isAsync) {
        clock.schedule(10, () => {
          run.cancel();
        });
      }
      await clock.runUntil(run.finished);
      expect(clock.pending).toBe(0);
    }
  });

  it('skips items, waits between pages, and refuses what is no page', async () => {
    const { outputs, summary } = await trial([4], {
      page: async (token: number | undefined, { record }) => {
        const { items, next } = pageOf(record, record, token);
        return { items: items.map((item) => (item[1] % 2 === 0 ? item : skip('odd'))), next };
      },
      maxPages: 2,
      everyMs: 500,
    });
    expect(outputs).toEqual([
      [4, 0],
      [4, 2],
    ]);
    expect(summary.tasks['List']).toMatchObject({ skipped: 2 });
    expect(summary.elapsedMs).toBeGreaterThanOrEqual(500);
    const { letters } = await trial([4], { page: (() => undefined) as never, maxPages: 2 });
    expect(letters).toMatchObject([
      { code: 'MILLRACE_INVALID_OUTPUT', message: expect.stringContaining('{ items, next }') as unknown },
    ]);
    const bad = (): unknown => pageTask({ page: async () => ({ items: [] }) } as never);
    expect(bad).toThrow(/maxPages/);
  });

  it('has its items collected by gather', async () => {
    const sink = recordingSink<unknown>();
    await defineWorkflow({
      name: 'Pages',
      build: (flow) =>
        flow
          .task('Read', sourceTask([4, 0, 1]))
          .task(
            'List',
            ['Read'],
            pageTask({
              page: async (token: number | undefined, { record }) => pageOf(record, record, token),
              maxPages: 9,
            }),
          )
          .task(
            'All',
            ['List'],
            { join: 'gather' },
            syncTask((items) => items.length),
          )
          .task('Keep', ['All'], sink.task),
    }).run().finished;
    expect(sink.records).toEqual([4, 0, 1]);
  });

  it('begins with the page that it was at when its run is resumed', async () => {
    const kept = memoryCheckpoints();
    const asked: (number | undefined)[] = [];
    const written: string[] = [];
    const incarnation = async (isLast: boolean): Promise<string> => {
      const clock = virtualClock();
      const run = defineWorkflow({
        name: 'Pages',
        build: (flow) =>
          flow
            .task('Read', sourceTask([9]))
            .task(
              'List',
              ['Read'],
              pageTask({
                page: async (token: number | undefined, { record }) => {
                  asked.push(token);
                  return pageOf(record, record, token);
                },
                maxPages: 9,
              }),
            )
            .task(
              'Keep',
              ['List'],
              asyncTask(async (item) => {
                await new Promise<void>((resolve) => {
                  clock.schedule(10, resolve);
                });
                written.push(item.join());
                return item;
              }),
            ),
      }).run(undefined, {
        clock,
        window: 1,
        checkpoints: kept.begin(),
        checkpointEvery: { everyMs: 1, everyRecords: 1 },
        ...(kept.last && { resumeFrom: kept.last }),
      });
      // In the middle of the second page.
      if (!isLast)
        clock.schedule(45, () => {
          run.cancel();
        });
      return (await clock.runUntil(run.finished)).outcome;
    };
    expect(await incarnation(false)).toBe('cancelled');
    expect(asked).toEqual([undefined, 3]);
    expect(await incarnation(true)).toBe('completed');
    expect(asked).toEqual([undefined, 3, 3, 6]);
    // Calls are at least once.
    expect([...new Set(written)]).toEqual(Array.from({ length: 9 }, (_, n) => `9,${n}`));
  });

  it('continues with the page that it was at, whatever ends its incarnations, and emits each item once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 14 }), { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.integer({ min: 1, max: 6 }),
        async (sizes, seed, window) => {
          const random = seededRandom(seed);
          const kept = memoryCheckpoints();
          const identities: string[] = [];
          const asked: number[] = [];
          for (let incarnation = 1; ; incarnation++) {
            const clock = virtualClock();
            const wait = (ms: number): Promise<void> =>
              new Promise((resolve) => {
                clock.schedule(random() * ms, resolve);
              });
            const settled = new Map<string, string>();
            const run = defineWorkflow({
              name: 'Pages',
              build: (flow) =>
                flow
                  .task('Read', sourceTask(sizes.map((size, list) => ({ size, list }))))
                  .task(
                    'List',
                    ['Read'],
                    pageTask({
                      page: async (token: number | undefined, { record, page }) => {
                        asked.push(page);
                        await wait(20);
                        return pageOf(record.list, record.size, token);
                      },
                      maxPages: 9,
                    }),
                  )
                  .task(
                    'Keep',
                    ['List'],
                    asyncTask(async (item) => {
                      await wait(40);
                      settled.set(item.join(), item.join());
                      return item;
                    }),
                  ),
            }).run(undefined, {
              clock,
              window,
              checkpoints: kept.begin(),
              checkpointEvery: { everyMs: 1, everyRecords: 1 },
              ...(kept.last && { resumeFrom: kept.last }),
            });
            const isLast = incarnation > 4;
            if (!isLast) {
              const how = random() < 0.3 ? 'drain' : 'cancel';
              clock.schedule(random() * 120, () => {
                run[how]();
              });
            }
            const { outcome } = await clock.runUntil(run.finished);
            identities.push(...settled.values());
            if (outcome === 'completed') break;
          }
          const expected = sizes.flatMap((size, list) => Array.from({ length: size }, (_, item) => `${list},${item}`));
          // Calls are at least once; each item has been there, and no other one.
          expect([...new Set(identities)].sort()).toEqual(expected.sort());
          // A incarnation repeats at most the pages in flight, and the one that it was at.
          const pages = sizes.reduce((sum, size) => sum + Math.max(1, Math.ceil(size / 3)), 0);
          expect(asked.length).toBeLessThanOrEqual(pages + 4 * (Math.ceil(window / 3) + 1));
        },
      ),
      { numRuns: 60 },
    );
  });
});
