/**
 * What a resumed run does with the state of its boundaries, when the second incarnation ends otherwise than the first.
 */
import { describe, expect, it } from '@jest/globals';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import {
  aggregateTask,
  asyncTask,
  defineWorkflow,
  expandTask,
  MillraceError,
  operatorTask,
  sinkTask,
  skip,
  sourceTask,
  statefulTask,
  syncTask,
  type OperatorContext,
  type RunEvent,
  type Task,
  type Workflow,
} from 'millrace';
import { memoryCheckpoints, virtualClock, type MemoryCheckpoints } from 'millrace/testing';
import { bufferCount, delayWhen, map, mergeMap, observeOn, of, tap, timer, type Observable } from 'rxjs';
import type { LetterHead } from '#lib/model/ports.js';
import type { StateStore } from '#lib/model/state.js';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

interface IncarnationOptions<Outputs> {
  readonly kept: MemoryCheckpoints;
  /** Dead letters that are replayed. */
  readonly redo?: readonly LetterHead[];
  /** The run is cancelled, as by a crash, after so many batches of this task. */
  readonly until?: { readonly task: string & keyof Outputs; readonly outputs: number; readonly how?: 'drain' };
  /** How the run is stopped after this time. */
  readonly stopAfter?: { readonly ms: number; readonly how: 'cancel' | 'drain' };
}

/** The time of the present incarnation. */
let clock = virtualClock();

/** Runs one incarnation. Resolves with its events. */
async function live<Outputs>(
  flow: Workflow<StandardSchemaV1, Outputs>,
  { kept, redo, until, stopAfter }: IncarnationOptions<Outputs>,
): Promise<RunEvent[]> {
  clock = virtualClock();
  const run = flow.run(undefined, {
    clock,
    checkpoints: kept.begin(),
    checkpointEvery: { everyMs: 1, everyRecords: 1 },
    window: 8,
    ...(kept.last && { resumeFrom: kept.last }),
    ...(redo && { redo }),
  });
  const events: RunEvent[] = [];
  run.events$.subscribe((event) => events.push(event));
  let outputs = 0;
  if (until !== undefined) {
    run.output$(until.task).subscribe(() => {
      if (++outputs === until.outputs) run[until.how ?? 'cancel']();
    });
  }
  if (stopAfter !== undefined) {
    clock.schedule(stopAfter.ms, () => {
      run[stopAfter.how]();
    });
  }
  await clock.runUntil(run.finished);
  return events;
}

/** A task that takes 200 ms per record, so that checkpoints are written in between. */
const slowly = <T>(work: (record: T) => unknown, ordered = false): Task<T, T> =>
  asyncTask<T, T>(
    async (record) => {
      await new Promise<void>((resolve) => {
        clock.schedule(200, resolve);
      });
      work(record);
      return record;
    },
    { concurrency: 2, ordered },
  );

const noticesOf = (events: readonly RunEvent[]): string[] =>
  events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));

describe('a resumed run', () => {
  it('has the groups whose results were not made when an earlier run drained', async () => {
    const kept = memoryCheckpoints();
    const written: string[] = [];
    const flow = defineWorkflow({
      name: 'Groups',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask(numbers(100)))
          .task(
            'Sum',
            ['Numbers'],
            aggregateTask(
              {
                key: (n: number) => n % 30,
                init: () => 0,
                add: (sum, n) => sum + n,
                finish: (sum, key) => `${key}: ${sum}`,
              },
              { durable: true },
            ),
          )
          .task(
            'Write',
            ['Sum'],
            slowly((line: string) => written.push(line)),
          ),
    });
    await live(flow, { kept, until: { task: 'Write', outputs: 2, how: 'drain' } });
    expect(new Set(written).size).toBeLessThan(30);
    await live(flow, { kept });
    const sums = numbers(30).map((key) => `${key}: ${numbers(100).reduce((s, n) => (n % 30 === key ? s + n : s), 0)}`);
    expect(written.sort()).toEqual(sums.sort());
  });

  it('loses and doubles no child when a generator ends otherwise the second time', async () => {
    const kept = memoryCheckpoints();
    const written: string[] = [];
    let incarnation = 0;
    const flow = defineWorkflow({
      name: 'Expand',
      build: (flow) =>
        flow
          .task('Parents', sourceTask(numbers(40)))
          .task(
            'Children',
            ['Parents'],
            expandTask(function* (parent: number) {
              for (let index = 0; index < 3; index++) {
                if (parent % 5 === incarnation && index === 1) throw new Error('not today');
                yield `${parent}/${index}`;
              }
            }),
          )
          .task(
            'Write',
            ['Children'],
            slowly((child: string) => written.push(child)),
          ),
    });
    for (incarnation = 1; incarnation <= 3; incarnation++) {
      await live(flow, { kept, ...(incarnation < 3 && { until: { task: 'Write', outputs: 30 } }) });
    }
    const counts = new Map<string, number>();
    for (const child of written) counts.set(child, (counts.get(child) ?? 0) + 1);
    const sound = numbers(40).filter((parent) => ![1, 2, 3].includes(parent % 5));
    for (const parent of sound) for (const index of [0, 1, 2]) expect(counts.has(`${parent}/${index}`)).toBe(true);
    // This run takes its checkpoints by the record, so at most what was in flight is written again: one window per
    // crash.
    expect([...counts.values()].filter((count) => count > 1).length).toBeLessThanOrEqual(2 * 8);
    expect(kept.last?.isComplete).toBe(true);
  });

  it('has branches that agree about a record that was skipped, though it would not be skipped now', async () => {
    const kept = memoryCheckpoints();
    const written = { first: [] as number[], second: [] as number[] };
    let incarnation = 1;
    const flow = defineWorkflow({
      name: 'Fork',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask([0, 1]))
          .task(
            'Maybe',
            ['Numbers'],
            asyncTask(async (n) => (incarnation === 1 && n === 1 ? skip('not today') : n)),
          )
          .task(
            'First',
            ['Maybe'],
            sinkTask((n) => void written.first.push(n)),
          )
          // In order, so the end of the second record waits behind the first one.
          .task(
            'Slow',
            ['Maybe'],
            slowly(() => undefined, true),
          )
          .task(
            'Second',
            ['Slow'],
            sinkTask((n) => void written.second.push(n)),
          ),
    });
    await live(flow, { kept, stopAfter: { ms: 100, how: 'cancel' } });
    incarnation = 2;
    await live(flow, { kept });
    expect(written).toEqual({ first: [0], second: [0] });
  });

  it('gives the branch beside a dead letter what it had, though the letter came first', async () => {
    const kept = memoryCheckpoints();
    const rows: unknown[] = [];
    let incarnation = 1;
    const flow = defineWorkflow({
      name: 'Beside',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask([7]))
          .task(
            'Ask',
            ['Numbers'],
            asyncTask(async (n) => {
              await new Promise<void>((resolve) => {
                clock.schedule(200, resolve);
              });
              return `incarnation ${incarnation} of ${n}`;
            }),
          )
          .task(
            'Check',
            ['Numbers'],
            asyncTask(async (n) => {
              if (incarnation === 1) throw new Error('not today');
              return n;
            }),
          )
          .task(
            'Alone',
            ['Ask'],
            sinkTask((text) => void rows.push(text)),
          )
          .task(
            'Both',
            ['Ask', 'Check'],
            sinkTask((pair) => void rows.push(pair)),
          ),
    });
    const letters = (await live(flow, { kept })).flatMap((event) =>
      event.type === 'dead-letter' ? [event.letter] : [],
    );
    incarnation = 2;
    await live(flow, { kept, redo: letters });
    expect(rows).toEqual(['incarnation 1 of 7', ['incarnation 1 of 7', 7]]);
  });

  it('continues from progress and state of one moment, whichever write of the state failed', async () => {
    let failing = 0;
    let appends = 0;
    do {
      failing++;
      const kept = memoryCheckpoints();
      const rows: unknown[] = [];
      const flow = defineWorkflow({
        name: 'Full',
        build: (flow) =>
          flow
            .task('Start', sourceTask([0]))
            .task(
              'Begun',
              ['Start'],
              sinkTask(() => undefined),
            )
            .task(
              'One',
              { after: ['Begun'] },
              syncTask(() => 1),
            )
            .task(
              'Children',
              ['One'],
              expandTask(() => numbers(12)),
            )
            .task(
              'Write',
              ['Children'],
              slowly((child: number) => rows.push(child)),
            )
            .task(
              'After',
              { after: ['Write'], when: 'ended' },
              syncTask(() => undefined),
            ),
      });
      const store = kept.begin();
      const state = store.state as StateStore;
      appends = 0;
      clock = virtualClock();
      const run = flow.run(undefined, {
        clock,
        checkpoints: {
          ...store,
          read: () => store.read(),
          write: (checkpoint) => store.write(checkpoint),
          state: {
            append: async (changes) => {
              const copies = Array.from(changes);
              if (++appends !== failing) return state.append(copies);
              await Promise.resolve();
              throw new MillraceError('MILLRACE_FILE', 'no space left');
            },
            restore: (position) => state.restore(position),
          },
        },
        checkpointEvery: { everyMs: 1, everyRecords: 1 },
        window: 8,
      });
      await clock.runUntil(run.finished.catch(() => undefined));
      await live(flow, { kept });
      expect(kept.last?.isComplete).toBe(true);
      expect([failing, new Set(rows).size]).toEqual([failing, 12]);
    } while (appends >= failing);
    expect(failing).toBeGreaterThan(5);
  });

  it('calls nothing in front of an aggregate again, and counts each record once', async () => {
    const kept = memoryCheckpoints();
    const calls: number[] = [];
    const results: unknown[] = [];
    const flow = defineWorkflow({
      name: 'Aggregate',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask(numbers(60)))
          .task(
            'Ask',
            ['Numbers'],
            slowly((n: number) => calls.push(n)),
          )
          .task(
            'Sum',
            ['Ask'],
            aggregateTask({
              key: (n: number) => n % 3,
              init: () => 0,
              add: (sum: number, n) => sum + n,
              finish: (sum, key) => ({ key, sum }),
            }),
          )
          .task(
            'Write',
            ['Sum'],
            sinkTask((row: { key: number; sum: number }) => void results.push(row)),
          ),
    });
    await live(flow, { kept, until: { task: 'Ask', outputs: 40 } });
    await live(flow, { kept });
    expect(calls.length - 60).toBeLessThanOrEqual(8);
    expect(results).toEqual(
      [0, 1, 2].map((key) => ({
        key,
        sum: numbers(60)
          .filter((n) => n % 3 === key)
          .reduce((a, b) => a + b),
      })),
    );
  });

  it('pairs each record of a keyed join once, whatever the order of arrival', async () => {
    const kept = memoryCheckpoints();
    const pairs: string[] = [];
    const flow = defineWorkflow({
      name: 'Keyed',
      build: (flow) =>
        flow
          .task('Left', sourceTask(numbers(30)))
          .task('Right', sourceTask(numbers(30).map((n) => n * 2)))
          .task(
            'Asked',
            ['Right'],
            slowly(() => undefined, true),
          )
          .task(
            'Pairs',
            ['Left', 'Asked'],
            { join: 'keyed', kind: 'outer', on: [(l) => l, (r) => r] },
            syncTask(([l, r]: [number | undefined, number | undefined]) => `${l ?? '-'}:${r ?? '-'}`),
          )
          .task(
            'Write',
            ['Pairs'],
            sinkTask((pair: string) => void pairs.push(pair)),
          ),
    });
    await live(flow, { kept, until: { task: 'Asked', outputs: 9 } });
    await live(flow, { kept, until: { task: 'Asked', outputs: 9 } });
    await live(flow, { kept });
    const expected = [
      ...numbers(15).map((n) => `${n * 2}:${n * 2}`),
      ...numbers(15).map((n) => `${n * 2 + 1}:-`),
      ...numbers(15).map((n) => `-:${n * 2 + 30}`),
    ];
    expect([...new Set(pairs)].sort()).toEqual(expected.sort());
  });

  it('loses no record that waits for the first one of another input, however often it drained before', async () => {
    const kept = memoryCheckpoints();
    const written: number[] = [];
    let isThere = false;
    const flow = defineWorkflow({
      name: 'Latest',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask(numbers(30)))
          .task(
            'Others',
            sourceTask(async function* () {
              while (!isThere) {
                await new Promise<void>((resolve) => {
                  clock.schedule(1000, resolve);
                });
              }
              yield 'other';
            }),
          )
          .task(
            'Write',
            ['Numbers', 'Others'],
            { join: 'latest' },
            sinkTask(([n]) => void written.push(n)),
          ),
    });
    for (let incarnation = 1; incarnation <= 3; incarnation++)
      await live(flow, { kept, stopAfter: { ms: 100, how: 'drain' } });
    isThere = true;
    await live(flow, { kept });
    expect(written).toEqual(numbers(30));
  });

  it('goes on with the states of a statefulTask', async () => {
    const kept = memoryCheckpoints();
    const seen = new Map<number, number>();
    const flow = defineWorkflow({
      name: 'Stateful',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask(numbers(50)))
          .task(
            'Ask',
            ['Numbers'],
            slowly(() => undefined, true),
          )
          .task(
            'Count',
            ['Ask'],
            statefulTask({ init: () => 0, step: (count: number, n: number) => [count + 1, [n, count + 1] as const] }),
          )
          .task(
            'Write',
            ['Count'],
            sinkTask(([n, count]: readonly [number, number]) => void seen.set(n, count)),
          ),
    });
    await live(flow, { kept, until: { task: 'Count', outputs: 20 } });
    await live(flow, { kept, until: { task: 'Count', outputs: 20 } });
    await live(flow, { kept });
    expect([...seen.values()].sort((a, b) => a - b)).toEqual(numbers(50).map((n) => n + 1));
  });

  it('gives an operator its input again, and continues behind it', async () => {
    const kept = memoryCheckpoints();
    const groups: number[][] = [];
    const flow = defineWorkflow({
      name: 'Operator',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask(numbers(50)))
          .task(
            'Ask',
            ['Numbers'],
            slowly(() => undefined, true),
          )
          .task('Groups', ['Ask'], operatorTask(bufferCount<number>(7)))
          .task(
            'Write',
            ['Groups'],
            slowly((group: number[]) => groups.push(group)),
          ),
    });
    await live(flow, { kept, until: { task: 'Ask', outputs: 25 } });
    await live(flow, { kept });
    const distinct = new Set(groups.map((group) => JSON.stringify(group)));
    expect([...distinct].flatMap((group) => JSON.parse(group) as number[]).sort((a, b) => a - b)).toEqual(numbers(50));
    expect(groups.length - distinct.size).toBeLessThanOrEqual(8);
  });

  it('gives an operator its input again as it was, though the operator has changed it', async () => {
    const kept = memoryCheckpoints();
    const given: string[] = [];
    const flow = defineWorkflow({
      name: 'Changing',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask(numbers(20).map((n) => ({ n, sum: [n] }))))
          .task(
            'Ask',
            ['Numbers'],
            slowly(() => undefined, true),
          )
          .task(
            'Change',
            ['Ask'],
            operatorTask(
              map((record: { n: number; sum: number[] }) => {
                given.push(JSON.stringify(record));
                record.sum.push(1);
                return Object.assign(record, { n: -1 });
              }),
            ),
          )
          .task(
            'Write',
            ['Change'],
            slowly(() => undefined, true),
          ),
    });
    await live(flow, { kept, until: { task: 'Ask', outputs: 12 } });
    await live(flow, { kept });
    const expected = numbers(20).map((n) => JSON.stringify({ n, sum: [n] }));
    expect(new Set(given)).toEqual(new Set(expected));
  });

  it('reports once that an operator was given more than `history` records, and goes on', async () => {
    const kept = memoryCheckpoints();
    const flow = defineWorkflow({
      name: 'Long',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask(numbers(20)))
          .task(
            'Ask',
            ['Numbers'],
            slowly(() => undefined, true),
          )
          .task('Groups', ['Ask'], operatorTask(bufferCount<number>(3), { history: 12 })),
    });
    const events = await live(flow, { kept });
    const notices = events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
    expect(notices).toEqual([
      "If this run dies it cannot be resumed: 'Groups' was given more than 12 records, the most that are kept. Raise `history`, call `forgetInputs` when the operator is empty, or use a task that keeps its own state",
    ]);
    expect(kept.last).toMatchObject({ isComplete: true, obstacle: expect.stringContaining('more than 12 records') });
  });

  describe('behind an operator that reports when it is empty', () => {
    type Groups = (numbers$: Observable<number>, context: OperatorContext) => Observable<number[]>;
    const flowOf = (groups: Groups, written: string[]) =>
      defineWorkflow({
        name: 'Long',
        build: (flow) =>
          flow
            .task('Numbers', sourceTask(numbers(60)))
            .task(
              'Ask',
              ['Numbers'],
              slowly(() => undefined, true),
            )
            .task('Groups', ['Ask'], operatorTask(groups, { history: 12 }))
            .task(
              'Write',
              ['Groups'],
              slowly((group: number[]) => written.push(group.join(' ')), true),
            ),
      });

    it.each<[what: string, groups: Groups, outputs: readonly number[][]]>([
      [
        'one output per group',
        (numbers$, { forgetInputs }) => numbers$.pipe(bufferCount(4), tap(forgetInputs)),
        numbers(15).map((group) => numbers(4).map((n) => group * 4 + n)),
      ],
      [
        'a burst beyond the window, which waits for credits, per group',
        (numbers$, { forgetInputs }) =>
          numbers$.pipe(
            bufferCount(4),
            tap(forgetInputs),
            mergeMap(([first = 0]) => numbers(16).map((n) => [first, n])),
          ),
        numbers(60 / 4).flatMap((group) => numbers(16).map((n) => [group * 4, n])),
      ],
    ])('passes it no more than the later records, and loses and doubles nothing: %s', async (_, groups, outputs) => {
      for (const part of [0.01, 0.3, 0.5, 0.77, 0.9]) {
        const crash = Math.ceil(part * outputs.length);
        const kept = memoryCheckpoints();
        const written: string[] = [];
        const given: number[] = [];
        const seen: Groups = (numbers$, context) => groups(numbers$.pipe(tap((n) => given.push(n))), context);
        const flow = flowOf(seen, written);
        const events = await live(flow, { kept, until: { task: 'Write', outputs: crash } });
        const before = given.length;
        events.push(
          ...(await live(flow, { kept, until: { task: 'Write', outputs: 2 } })),
          ...(await live(flow, { kept })),
        );
        expect(noticesOf(events).filter((notice) => notice.includes('cannot be resumed'))).toEqual([]);
        expect([...new Set(written)]).toEqual(outputs.map((output) => output.join(' ')));
        // The last records before a crash may be written, and not be in a checkpoint.
        expect(written.length).toBeLessThanOrEqual(outputs.length + 8);
        expect(given.length).toBeLessThanOrEqual(60 + 2 * 13);
        expect(before).toBeGreaterThan(0);
      }
    });

    it('reports that it cannot resume if the operator also emits on its own', async () => {
      const kept = memoryCheckpoints();
      const flow = flowOf(
        (numbers$, { forgetInputs, scheduler }) =>
          numbers$.pipe(
            bufferCount(4),
            tap(forgetInputs),
            delayWhen((group) => (group[0] === 40 ? timer(5, scheduler) : of(1))),
          ),
        [],
      );
      const notices = noticesOf(await live(flow, { kept }));
      expect(notices[0]).toContain("'Groups' has called `forgetInputs`, and emits outside of the turn");
      expect(kept.last?.obstacle).toContain('forgetInputs');
    });
  });

  it('repeats what lies behind an operator that emits on its own', async () => {
    const kept = memoryCheckpoints();
    const seen: number[] = [];
    const flow = defineWorkflow({
      name: 'Late',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask(numbers(30)))
          .task(
            'Ask',
            ['Numbers'],
            slowly(() => undefined, true),
          )
          .task(
            'Later',
            ['Ask'],
            operatorTask<number, number>((numbers$, { scheduler }) => numbers$.pipe(observeOn(scheduler))),
          )
          .task(
            'Write',
            ['Later'],
            sinkTask((n: number) => void seen.push(n)),
          ),
    });
    await live(flow, { kept, until: { task: 'Ask', outputs: 20 } });
    expect(kept.last?.uncertain).toEqual(['Later']);
    seen.length = 0;
    await live(flow, { kept });
    expect([...seen].sort((a, b) => a - b)).toEqual(numbers(30));
  });

  it('loses no child of a parent that was expanded, though its source cannot be read again', async () => {
    const kept = memoryCheckpoints();
    const written = new Set<string>();
    const opened: number[] = [];
    let from = 0;
    const flow = defineWorkflow({
      name: 'Live',
      build: (flow) =>
        flow
          .task(
            'Live',
            sourceTask(
              // Each incarnation gets other records, as from a socket.
              () => numbers(12).map((n) => from + n),
              { replayable: false },
            ),
          )
          .task(
            'Parts',
            ['Live'],
            expandTask((parent: number) => {
              opened.push(parent);
              return [0, 1, 2].map((index) => `${parent}/${index}`);
            }),
          )
          .task(
            'Write',
            ['Parts'],
            slowly((part: string) => written.add(part)),
          ),
    });
    await live(flow, { kept, until: { task: 'Write', outputs: 10 } });
    const before = [...new Set(opened)];
    from = 100;
    await live(flow, { kept });
    expect(kept.last?.isComplete).toBe(true);
    const durable = before.filter((parent) => [0, 1, 2].every((index) => written.has(`${parent}/${index}`)));
    // All but those that were opened after the last checkpoint.
    expect(before.length - durable.length).toBeLessThanOrEqual(1);
    for (const parent of numbers(12))
      for (const index of [0, 1, 2]) expect(written).toContain(`${parent + 100}/${index}`);
  });

  it('cannot resume when a state is no plain data, and says so', async () => {
    const kept = memoryCheckpoints();
    const flow = defineWorkflow({
      name: 'Unclonable',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask(numbers(20)))
          .task(
            'Ask',
            ['Numbers'],
            slowly(() => undefined, true),
          )
          .task('Make', ['Ask'], operatorTask(map((n: number) => ({ call: () => n }))))
          .task(
            'Write',
            ['Make'],
            slowly(() => undefined, true),
          ),
    });
    const events = await live(flow, { kept });
    expect(noticesOf(events).join()).toMatch(/cannot be resumed: The state of 'outputs of Make' cannot be stored/);
    expect(kept.last?.obstacle).toMatch(/set `durable` to false/);
  });
});

describe('the durability of a boundary', () => {
  const aggregate = (durable?: boolean) =>
    aggregateTask(
      { init: () => 0, add: (sum: number, n: number) => sum + n, finish: (sum) => sum },
      durable === undefined ? {} : { durable },
    );

  it('is to compute it again behind a source that is read again and synchronous tasks', () => {
    const flow = defineWorkflow({
      name: 'Sync',
      build: (flow) =>
        flow
          .task('S', sourceTask([1]))
          .task(
            'Twice',
            ['S'],
            syncTask((n: number) => n * 2),
          )
          .task('Sum', ['Twice'], aggregate()),
    });
    expect(flow.plan().durability).toEqual([{ task: 'Sum', durability: 'computed' }]);
  });

  it('is to keep its state behind a call, an expansion or another state', () => {
    const flow = defineWorkflow({
      name: 'Calls',
      build: (flow) =>
        flow
          .task('S', sourceTask([1]))
          .task(
            'Ask',
            ['S'],
            asyncTask(async (n: number) => n),
          )
          .task('Sum', ['Ask'], aggregate())
          .task(
            'Parts',
            ['S'],
            expandTask((n: number) => [n]),
          )
          .task('Sum of parts', ['Parts'], aggregate()),
    });
    expect(flow.plan().durability.map(({ durability }) => durability)).toEqual(['kept', 'kept', 'kept']);
  });

  it('is what `durable` says', () => {
    const flow = defineWorkflow({
      name: 'Said',
      build: (flow) =>
        flow
          .task('S', sourceTask([1]))
          .task('Kept', ['S'], aggregate(true))
          .task(
            'Ask',
            ['S'],
            asyncTask(async (n: number) => n),
          )
          .task('Computed', ['Ask'], aggregate(false)),
    });
    expect(flow.plan().durability).toEqual([
      { task: 'Kept', durability: 'kept' },
      { task: 'Computed', durability: 'computed' },
    ]);
  });
});
