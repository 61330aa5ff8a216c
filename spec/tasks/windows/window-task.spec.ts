/** What window tasks emit, and when. */
import { describe, expect, it } from '@jest/globals';
import { defineWorkflow, sourceTask, syncTask } from 'millrace';
import {
  counted,
  session,
  sliding,
  tumbling,
  windowJoin,
  windowTask,
  type Windowed,
  type WindowTaskOptions,
} from 'millrace/windows';
import { recordingDeadLetters, virtualClock } from 'millrace/testing';
import { runToEnd, task } from '../../support/run-to-end.js';
import { timedLists } from './support/timed-lists.js';

interface Sale {
  readonly shop: string;
  readonly at: number;
}

const sales = (text: string): Sale[] =>
  text
    .split(' ')
    .filter((one) => one !== '')
    .map((one) => ({ shop: one.charAt(0), at: Number(one.slice(1)) }));

/** How many sales each shop has per window. */
const counts: Windowed<Sale, string, number, string> = {
  key: ({ shop }) => shop,
  timestamp: ({ at }) => at,
  window: tumbling(10),
  init: () => 0,
  add: (count) => count + 1,
  merge: (one, other) => one + other,
  finish: (count, { key, start, end, isFinal }) => `${key} ${start}-${end}: ${count}${isFinal ? '' : ' so far'}`,
};

async function resultsOf(
  source: readonly Sale[],
  windowed: Partial<Windowed<Sale, string, number, string>> = {},
  options: WindowTaskOptions<Sale, string> = {},
): Promise<unknown[] | undefined> {
  const { outputs } = await runToEnd([
    task('Sales', [], sourceTask(source)),
    task('Count', ['Sales'], windowTask({ ...counts, ...windowed }, options)),
    task(
      'Read',
      ['Count'],
      syncTask((result: string) => result),
    ),
  ]);
  return outputs['Count'];
}

describe('windowTask', () => {
  it('emits one result per key and window, in the order of the ends and of the keys', async () => {
    expect(await resultsOf(sales('b1 a2 a12 b5 a3'), {}, { allowedLatenessMs: 10 })).toEqual([
      'b 0-10: 2',
      'a 0-10: 2',
      'a 10-20: 1',
    ]);
  });

  it('counts a record in each of its sliding windows', async () => {
    expect(await resultsOf(sales('a7 a12'), { window: sliding(10, 5) })).toEqual([
      'a 0-10: 1',
      'a 5-15: 2',
      'a 10-20: 1',
    ]);
  });

  it('joins sessions that a late record connects', async () => {
    const results = await resultsOf(sales('a1 a9 b1 a5 a30'), { window: session(5) }, { allowedLatenessMs: 20 });
    expect(results).toEqual(['b 1-6: 1', 'a 1-14: 3', 'a 30-35: 1']);
  });

  it('has windows of records, of which the last one may have fewer', async () => {
    const { timestamp: _timestamp, ...counting } = counts;
    const { outputs } = await runToEnd([
      task('Sales', [], sourceTask(sales('a1 b1 a1 a1 b1 a1'))),
      task('Count', ['Sales'], windowTask({ ...counting, window: counted(2) })),
      task(
        'Read',
        ['Count'],
        syncTask((result: string) => result),
      ),
    ]);
    expect(outputs['Count']).toEqual(['a 0-3: 2', 'b 1-5: 2', 'a 3-6: 2']);
  });

  it('places windows before 1970 and with an offset', async () => {
    expect(await resultsOf(sales('a-1 a2 a3'), { window: tumbling(10, 3) }, { allowedLatenessMs: 9 })).toEqual([
      'a -7-3: 2',
      'a 3-13: 1',
    ]);
  });

  it('emits results so far, and the final one afterwards', async () => {
    expect(await resultsOf(sales('a1 a2 a3 a4 a5'), {}, { earlyEach: 2 })).toEqual([
      'a 0-10: 2 so far',
      'a 0-10: 4 so far',
      'a 0-10: 5',
    ]);
  });

  it('closes a window as soon as the watermark has passed its end and the lateness', async () => {
    const clock = virtualClock();
    const seen: string[] = [];
    async function* source(): AsyncGenerator<Sale> {
      for (const sale of sales('a1 a9 a12 a14 a15 a40')) {
        await new Promise<void>((resolve) => {
          clock.schedule(10, resolve);
        });
        seen.push(`read ${sale.at}`);
        yield sale;
      }
    }
    const run = defineWorkflow({
      name: 'Timely',
      build: (flow) =>
        flow.task('Sales', sourceTask(source)).task('Count', ['Sales'], windowTask(counts, { allowedLatenessMs: 5 })),
    }).run(undefined, { clock });
    run.output$('Count').subscribe((result) => seen.push(result));
    await clock.runUntil(run.finished);
    expect(seen.slice(4)).toEqual(['read 15', 'a 0-10: 2', 'read 40', 'a 10-20: 3', 'a 40-50: 1']);
  });

  it('makes a late record a dead letter, with the window that it missed', async () => {
    const deadLetters = recordingDeadLetters();
    const tasks = [task('Sales', [], sourceTask(sales('a1 a31 a2'))), task('Count', ['Sales'], windowTask(counts))];
    const { summary } = await runToEnd(tasks, { deadLetters });
    expect(deadLetters.letters).toMatchObject([{ task: 'Count', code: 'MILLRACE_LATE', record: { shop: 'a', at: 2 } }]);
    expect(deadLetters.letters[0]?.message).toContain(
      'its window from 1970-01-01T00:00:00.000Z to 1970-01-01T00:00:00.010Z was closed: it is 29 ms behind the watermark',
    );
    expect(summary.tasks['Count']).toMatchObject({ in: 3, out: 2, deadLettered: 1 });
  });

  it('has an output of late records, which a task may read instead', async () => {
    const deadLetters = recordingDeadLetters();
    const { outputs, summary } = await runToEnd(
      [
        task('Sales', [], sourceTask(sales('a1 a31 a12'))),
        task('Count', ['Sales'], windowTask({ ...counts, window: sliding(20, 10) })),
        task(
          'Read',
          ['Count'],
          syncTask((result: string) => result),
        ),
        task(
          'Late',
          ['Count.late'],
          syncTask((late: unknown) => late),
        ),
      ],
      { deadLetters },
    );
    expect(outputs['Late']).toEqual([
      {
        record: { shop: 'a', at: 12 },
        timestamp: 12,
        lateByMs: 19,
        missed: [
          { start: 0, end: 20 },
          { start: 10, end: 30 },
        ],
      },
    ]);
    expect(deadLetters.letters).toEqual([]);
    expect(summary.tasks['Count']).toMatchObject({ out: 5, outputs: { late: 1 } });
  });

  it('merges results and late records again, each once', async () => {
    const { outputs } = await runToEnd([
      task('Sales', [], sourceTask(sales('a1 a31 a2'))),
      task('Count', ['Sales'], windowTask(counts)),
      task(
        'Both',
        ['Count', 'Count.late'],
        syncTask((one: unknown) => one),
        { join: 'merge', labelled: true },
      ),
    ]);
    expect(outputs['Both']).toMatchObject([
      { from: 'Count', record: 'a 0-10: 1' },
      { from: 'Count.late', record: { lateByMs: 29 } },
      { from: 'Count', record: 'a 30-40: 1' },
    ]);
  });

  it('ends a record without a time alone', async () => {
    const deadLetters = recordingDeadLetters();
    const tasks = [
      task('Sales', [], sourceTask([{ shop: 'a', at: NaN }, ...sales('a2')])),
      task('Count', ['Sales'], windowTask(counts)),
    ];
    const { outputs } = await runToEnd(tasks, { deadLetters });
    expect(deadLetters.letters).toMatchObject([{ code: 'MILLRACE_INVALID_INPUT' }]);
    expect(outputs['Count']).toEqual(['a 0-10: 1']);
  });

  it('gives up one window whose result cannot be made', async () => {
    const deadLetters = recordingDeadLetters();
    const finish = (count: number): string => {
      if (count === 2) throw new TypeError('not two');
      return String(count);
    };
    const tasks = [
      task('Sales', [], sourceTask(sales('a1 a2 a12'))),
      task('Count', ['Sales'], windowTask({ ...counts, finish })),
    ];
    const { outputs } = await runToEnd(tasks, { deadLetters });
    expect(deadLetters.letters).toMatchObject([
      { message: 'not two', record: { key: 'a', start: 0, end: 10, state: 2 } },
    ]);
    expect(outputs['Count']).toEqual(['1']);
  });

  it('holds so many windows, and fails the run at one more', async () => {
    const many = Array.from({ length: 60 }, (_, index) => ({ shop: String(index % 50), at: 5 }));
    expect((await resultsOf(many, {}, { maxWindows: 50 }))?.length).toBe(50);
    const ending = resultsOf(many, {}, { maxWindows: 49 });
    await expect(ending).rejects.toMatchObject({ code: 'MILLRACE_WINDOW_OVERFLOW' });
  });

  it('frees the room of windows that are closed', async () => {
    const many = Array.from({ length: 1000 }, (_, index) => ({ shop: 'a', at: index * 10 }));
    expect((await resultsOf(many, {}, { maxWindows: 2 }))?.length).toBe(1000);
  });

  it('refuses what does not fit', () => {
    const { merge: _merge, ...withoutMerge } = counts;
    const { timestamp: _timestamp, ...withoutTime } = counts;
    expect(() => windowTask({ ...withoutMerge, window: session(5) })).toThrow(/to have `merge`/);
    expect(() => windowTask({ ...counts, window: counted(5) })).toThrow(/no `timestamp`/);
    expect(() => windowTask(withoutTime, { allowedLatenessMs: 5 })).toThrow(/to have `timestamp`/);
    expect(() => windowTask({ ...counts, window: {} as never })).toThrow(/tumbling\(…\)/);
    expect(() => windowTask(counts, { maxWindow: 5 } as never)).toThrow(/maxWindows/);
    expect(() => sliding(10, 20)).toThrow(/from 1 to 10 ms/);
    expect(() => sliding(1_000_000, 1)).toThrow(/from 100 to 1000000 ms/);
    expect(() => tumbling(0)).toThrow(/whole number from 1 on/);
  });
});

describe('the watermark', () => {
  /** Two partitions, of which the second one is ahead and the first one brings a record at the end. */
  const run = async (idleMs?: number): Promise<{ results: string[]; late: unknown[] }> => {
    const clock = virtualClock();
    const slow = (async function* (): AsyncGenerator<Sale> {
      yield* sales('a1');
      await new Promise<void>((resolve) => {
        clock.schedule(1000, resolve);
      });
      yield* sales('a2');
    })();
    const results: string[] = [];
    const late: unknown[] = [];
    const flow = defineWorkflow({
      name: 'Partitions',
      build: (flow) =>
        flow
          .task('Slow', sourceTask(slow))
          .task(
            'Fast',
            timedLists([sales('b1 b12 b25 b31')], clock, () => 5),
          )
          .task(
            'Count',
            ['Slow', 'Fast'],
            { join: 'merge' },
            windowTask(counts, idleMs === undefined ? {} : { idleMs }),
          )
          .task(
            'Late',
            ['Count.late'],
            syncTask((one) => void late.push(one.record)),
          ),
    });
    const started = flow.run(undefined, { clock });
    started.output$('Count').subscribe((result) => results.push(`${clock.now()} ${result}`));
    await clock.runUntil(started.finished);
    return { results: results.map((result) => result.replace(/^\d+ /, '')), late };
  };

  it('waits for the input that is furthest behind', async () => {
    const { results, late } = await run();
    expect(results[0]).toBe('a 0-10: 2');
    expect(late).toEqual([]);
  });

  it('goes on without an input that is idle, whose records are late then', async () => {
    const { results, late } = await run(100);
    expect(results).toContain('a 0-10: 1');
    expect(late).toEqual(sales('a2'));
  });
});

describe('windows of arrival', () => {
  it('close by the clock, without another record', async () => {
    const clock = virtualClock(1_000_000);
    const { timestamp: _timestamp, ...arriving } = counts;
    const seen: string[] = [];
    async function* source(): AsyncGenerator<Sale> {
      yield* sales('a0 a0');
      await new Promise<void>((resolve) => {
        clock.schedule(3000, resolve);
      });
      seen.push('later');
      yield* sales('a0');
    }
    const run = defineWorkflow({
      name: 'Arrivals',
      build: (flow) =>
        flow
          .task('Sales', sourceTask(source))
          .task('Count', ['Sales'], windowTask({ ...arriving, window: tumbling(1000) })),
    }).run(undefined, { clock });
    run.output$('Count').subscribe((result) => seen.push(result));
    await clock.runUntil(run.finished);
    expect(seen).toEqual(['a 1000000-1001000: 2', 'later', 'a 1003000-1004000: 1']);
    expect(clock.pending).toBe(0);
  });
});

describe('windowJoin', () => {
  const people = [
    { id: 1, at: 1 },
    { id: 2, at: 3 },
    { id: 1, at: 14 },
    { id: 3, at: 30 },
  ];
  const auctions = [
    { seller: 1, item: 'ink', at: 2 },
    { seller: 1, item: 'tea', at: 8 },
    { seller: 2, item: 'pen', at: 12 },
    { seller: 1, item: 'cup', at: 15 },
  ];

  async function pairsOf(
    kind: 'inner' | 'left' | 'outer',
    source = people,
  ): Promise<{ pairs: string[]; skipped: number }> {
    const { outputs, summary } = await runToEnd([
      task('People', [], sourceTask(source)),
      task('Auctions', [], sourceTask(auctions)),
      task(
        'Join',
        ['People', 'Auctions'],
        windowJoin({
          left: {
            from: 'People',
            key: (person: { id: number }) => person.id,
            timestamp: (person: { at: number }) => person.at,
          } as never,
          right: {
            from: 'Auctions',
            key: (auction: { seller: number }) => auction.seller,
            timestamp: (auction: { at: number }) => auction.at,
          } as never,
          window: tumbling(10),
          kind,
        }),
        { join: 'merge', labelled: true },
      ),
      task(
        'Read',
        ['Join'],
        syncTask((pair: unknown) => pair),
      ),
    ]);
    type Pair = { start: number; key: number; left?: unknown; right?: { item: string } };
    const pairs = (outputs['Join'] as Pair[]).map(
      ({ start, key, left, right }) => `${start} ${key} ${left === undefined ? '-' : '+'} ${right?.item ?? '-'}`,
    );
    return { pairs: pairs.sort(), skipped: summary.tasks['Join']?.skipped ?? 0 };
  }

  it('pairs the records of a key in each window', async () => {
    expect(await pairsOf('inner')).toEqual({ pairs: ['0 1 + ink', '0 1 + tea', '10 1 + cup'], skipped: 3 });
  });

  it('emits records without a partner, of the left side or of both', async () => {
    const left = ['0 1 + ink', '0 1 + tea', '0 2 + -', '10 1 + cup', '30 3 + -'];
    expect(await pairsOf('left')).toEqual({ pairs: left, skipped: 1 });
    expect(await pairsOf('outer')).toEqual({ pairs: [...left, '10 2 - pen'].sort(), skipped: 0 });
  });

  it('fails the run when its windows hold too many records', async () => {
    const side = (from: string) => ({ from, key: () => 1, timestamp: () => 0 });
    const ending = runToEnd([
      task('People', [], sourceTask(people)),
      task('Auctions', [], sourceTask(auctions)),
      task(
        'Join',
        ['People', 'Auctions'],
        windowJoin(
          { left: side('People'), right: side('Auctions'), window: tumbling(10), kind: 'inner' },
          { maxRecords: 7 },
        ),
        { join: 'merge', labelled: true },
      ),
    ]);
    await expect(ending).rejects.toMatchObject({ code: 'MILLRACE_WINDOW_OVERFLOW' });
  });

  it('refuses sides that cannot be distinguished', () => {
    const side = { from: 'People', key: () => 1, timestamp: () => 0 };
    expect(() => windowJoin({ left: side, right: side, window: tumbling(10), kind: 'inner' })).toThrow(
      /'People' twice/,
    );
    const right = { ...side, from: 'Auctions' };
    expect(() => windowJoin({ left: side, right, window: counted(10), kind: 'inner' })).toThrow(/windows of time/);
  });
});
