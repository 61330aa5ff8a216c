import { describe, expect, it } from '@jest/globals';
import {
  aggregateTask,
  asyncTask,
  defineWorkflow,
  expandTask,
  operatorTask,
  RunFailedError,
  sinkTask,
  sourceTask,
  syncTask,
  Task,
  type RunEvent,
} from 'millrace';
import { recordingDeadLetters, recordingSink, virtualClock } from 'millrace/testing';
import { bufferTime, filter, firstValueFrom, map, NEVER, Observable, take, toArray, type OperatorFunction } from 'rxjs';
import { Batch } from '#lib/core/record.js';
import type { TaskScope } from '#lib/core/ports.js';
import { runToEnd, task } from '../support/run-to-end.js';

const keep = syncTask<unknown, unknown>((value) => value);
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);
function* naturals(): Generator<number> {
  for (let n = 0; ; n++) yield n;
}

describe('a run', () => {
  it('starts in the turn after it was made, so that subscribers miss nothing', async () => {
    const { events } = await runToEnd([task('S', [], sourceTask([1])), task('T', ['S'], keep)]);
    expect(events.map(({ type }) => type)).toEqual([
      'run-started',
      'task-started',
      'task-started',
      'task-ended',
      'task-ended',
      'progress',
      'resources',
      'run-ended',
    ]);
  });

  it('replays a bounded number of events to late subscribers', async () => {
    const Failing = defineWorkflow({
      name: 'Failing',
      build: (flow) =>
        flow.task('S', sourceTask(range(5000))).task(
          'T',
          ['S'],
          syncTask((n: number): number => {
            throw new Error(`no ${n}`);
          }),
        ),
    });
    const run = Failing.run();
    await run.finished;
    const events = await firstValueFrom(run.events$.pipe(toArray()));
    expect(events.length).toBe(1000);
    expect(events[0]?.type).toBe('run-started');
    expect(events.at(-1)?.type).toBe('run-ended');
  });

  it('never has more in flight than the window, at any moment', async () => {
    let [now, most] = [0, 0];
    await runToEnd(
      [
        task('S', [], sourceTask(range(300))),
        task(
          'T',
          ['S'],
          asyncTask(
            async (n: number) => {
              most = Math.max(most, ++now);
              await new Promise((resolve) => setImmediate(resolve));
              now--;
              return n;
            },
            { concurrency: 1000 },
          ),
        ),
      ],
      { window: 7 },
    );
    expect(most).toBe(7);
  });

  it('rejects with the summary when a task fails the run', async () => {
    const failed = runToEnd([
      task('S', [], sourceTask(range(10))),
      task(
        'T',
        ['S'],
        syncTask(
          (n: number) => {
            if (n === 3) throw new Error('three');
            return n;
          },
          { onFailure: 'fail' },
        ),
      ),
    ]);
    const error: unknown = await failed.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RunFailedError);
    expect((error as RunFailedError).message).toBe("Task 'T' failed on record 3 of 'S': three");
    expect((error as RunFailedError).summary.outcome).toBe('failed');
  });

  it('is not broken by subscribers that throw, also behind a pipe', async () => {
    const flow = defineWorkflow({
      name: 'Watched',
      build: (f) =>
        f.task('S', sourceTask(range(3))).task(
          'T',
          ['S'],
          syncTask((n: number) => n),
        ),
    });
    const run = flow.run();
    const complaints: string[] = [];
    run.events$
      .pipe(filter((event) => event.type === 'subscriber-error'))
      .subscribe(({ message }) => complaints.push(message));
    run.output$('T').subscribe(() => {
      throw new Error('plain');
    });
    run
      .output$('T')
      .pipe(
        map((): number => {
          throw new Error('piped');
        }),
      )
      .subscribe();
    run.events$.subscribe((event: RunEvent) => {
      if (event.type === 'run-started') throw new Error('events');
    });
    expect((await run.finished).outcome).toBe('completed');
    expect(complaints.sort()).toEqual(['events', 'piped', 'plain', 'plain', 'plain']);
  });

  it('cancels: nothing more is started, the signal reaches the tasks, the outcome says so', async () => {
    const aborted: boolean[] = [];
    const Endless = defineWorkflow({
      name: 'Endless',
      build: (flow) =>
        flow
          .task(
            'S',
            sourceTask(() => naturals()),
          )
          .task(
            'T',
            ['S'],
            asyncTask(
              (n: number, { signal }) =>
                new Promise<number>((_, reject) => {
                  signal.addEventListener('abort', () => {
                    aborted.push(true);
                    reject(signal.reason as Error);
                  });
                  if (n === 3) run.cancel();
                }),
              { concurrency: 4 },
            ),
          ),
    });
    const run = Endless.run();
    const summary = await run.finished;
    expect([summary.outcome, summary.deadLettered, aborted.length]).toEqual(['cancelled', 0, 4]);
  });

  it('drains: what is in flight settles, and a partial aggregate is not emitted', async () => {
    const sink = recordingSink<number>();
    const sums = recordingSink<number>();
    const Endless = defineWorkflow({
      name: 'Endless',
      build: (flow) =>
        flow
          .task(
            'S',
            sourceTask(() => naturals()),
          )
          .task(
            'T',
            ['S'],
            asyncTask(async (n: number) => n),
          )
          .task('Keep', ['T'], sink.task)
          .task('Sum', ['T'], aggregateTask({ init: () => 0, add: (sum, n: number) => sum + n, finish: (sum) => sum }))
          .task('Sums', ['Sum'], sums.task),
    });
    const run = Endless.run();
    run
      .output$('T')
      .pipe(filter((n) => n === 500))
      .subscribe(() => {
        run.drain();
      });
    const summary = await run.finished;
    expect(summary.outcome).toBe('drained');
    expect(sink.records).toEqual(range(sink.records.length));
    expect(summary.tasks['S']?.out).toBe(sink.records.length);
    expect([sums.records, sink.outcome]).toEqual([[], 'drained']);
  });

  it('ends by an AbortSignal of the caller', async () => {
    const controller = new AbortController();
    const ended = runToEnd(
      [
        task(
          'S',
          [],
          sourceTask(() => NEVER),
        ),
        task('T', ['S'], keep),
      ],
      { signal: controller.signal },
    );
    setImmediate(() => {
      controller.abort();
    });
    expect((await ended).summary.outcome).toBe('cancelled');
  });

  it('waits for `open` of every task, fails when one cannot open, and closes them all', async () => {
    const closed: string[] = [];
    class Fussy extends Task<number, number> {
      constructor(
        private readonly label: string,
        private readonly isBroken = false,
      ) {
        super();
      }
      override async open(): Promise<void> {
        await null;
        if (this.isBroken) throw new Error(`${this.label} cannot open`);
      }
      protected override process(n: number): number {
        return n;
      }
      override close(outcome: string): void {
        closed.push(`${this.label} ${outcome}`);
      }
    }
    const failed = runToEnd([
      task('S', [], sourceTask([1])),
      task('a', ['S'], new Fussy('a')),
      task('b', ['a'], new Fussy('b', true)),
    ]);
    await expect(failed).rejects.toThrow('b cannot open');
    expect(closed).toEqual(['b failed', 'a failed']);
  });

  it('holds sources back while dead letters cannot be taken', async () => {
    const deadLetters = recordingDeadLetters();
    deadLetters.isFull = true;
    let drawn = 0;
    const ended = runToEnd(
      [
        task(
          'S',
          [],
          sourceTask(function* () {
            while (drawn < 50) yield drawn++;
          } as never),
        ),
        task(
          'T',
          ['S'],
          syncTask((): number => {
            throw new Error('no');
          }),
        ),
      ],
      { deadLetters },
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(drawn).toBe(0);
    deadLetters.isFull = false;
    expect((await ended).summary.deadLettered).toBe(50);
    expect(deadLetters.isClosed).toBe(true);
  });

  it('lets timers run in the middle of a long synchronous stretch', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const spin = (n: number): number => {
      const until = performance.now() + 1;
      while (performance.now() < until);
      return n;
    };
    await runToEnd([
      task('S', [], sourceTask(range(300))),
      task('a', ['S'], syncTask(spin)),
      task('b', ['a'], syncTask(spin)),
    ]);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(10);
  });

  it('leaves nothing of itself behind', async () => {
    const before = process.getActiveResourcesInfo().length;
    await runToEnd([
      task('S', [], sourceTask(range(1000))),
      task(
        'T',
        ['S'],
        asyncTask(async (n: number) => n),
      ),
      task(
        'W',
        ['T'],
        operatorTask((n$, { scheduler }) => n$.pipe(bufferTime(5, scheduler))),
      ),
    ]);
    // An immediate that has fired is counted until the turn is over.
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before);
  });
});

describe('failure policies', () => {
  const fragile = (onFailure: never): Promise<Awaited<ReturnType<typeof runToEnd>>> =>
    runToEnd([
      task('S', [], sourceTask([1, 0, 2])),
      task(
        'T',
        ['S'],
        syncTask(
          (n: number): number => {
            if (n === 0) throw undefined;
            return n;
          },
          { onFailure },
        ),
      ),
    ]);

  it.each([
    ['dead-letter', [1, 2], 1, 0],
    ['skip', [1, 2], 0, 1],
    [{ fallback: 7 }, [1, 7, 2], 0, 0],
    [{ fallback: (record: unknown) => Number(record) - 1 }, [1, -1, 2], 0, 0],
  ] as const)('%j does what it says, also for `throw undefined`', async (policy, outputs, deadLettered, skipped) => {
    const ended = await fragile(policy as never);
    expect(ended.outputs['T']).toEqual(outputs);
    expect([ended.summary.deadLettered, ended.summary.skipped]).toEqual([deadLettered, skipped]);
    expect(ended.summary.tasks['T']?.failed).toBe(1);
  });
});

describe('the laws', () => {
  /** A task that is wrong on purpose. */
  class Wrong extends Task<number, number> {
    constructor(private readonly spoil: (batch: Batch<number>) => Batch<number>) {
      super();
    }
    protected override process(n: number): number {
      return n;
    }
    override operator(scope: TaskScope): OperatorFunction<Batch<number>, Batch<number>> {
      return (input$) =>
        input$.pipe(
          map((batch) => {
            const out = this.spoil(batch);
            scope.account.in += batch.length;
            scope.account.out += batch.length;
            return out;
          }),
        );
    }
  }
  const without = (batch: Batch<number>, lineage: number): Batch<number> => {
    const kept = batch.lineages
      .map((own, index) => [own, batch.values[index]] as const)
      .filter(([own]) => own !== lineage);
    return new Batch(
      kept.map(([own]) => own),
      kept.map(([, value]) => value as number),
      0,
    );
  };

  it.each<[string, (batch: Batch<number>) => Batch<number>, RegExp]>([
    ['loses a record', (batch) => without(batch, 5), /The run is over while 1 records of 'S' are in flight/],
    [
      'doubles a record',
      (batch) => new Batch([...batch.lineages, batch.lineages[0] as number], [...batch.values, 0], 0),
      /left by 'Wrong' twice, or was never born/,
    ],
    [
      'invents a record',
      (batch) => new Batch([...batch.lineages, 999], [...batch.values, 0], 0),
      /lineage 999 left by 'Wrong' twice, or was never born/,
    ],
  ])('stop a run whose task %s', async (_, spoil, message) => {
    const failed = runToEnd([task('S', [], sourceTask(range(10))), task('Wrong', ['S'], new Wrong(spoil))]);
    await expect(failed).rejects.toMatchObject({
      code: 'MILLRACE_CONSERVATION',
      message: expect.stringMatching(message),
    });
  });

  it('stop a run whose join gets a record twice', async () => {
    const failed = runToEnd([
      task('S', [], sourceTask(range(10))),
      task(
        'Wrong',
        ['S'],
        new Wrong((batch) => new Batch([...batch.lineages, batch.lineages[0] as number], [...batch.values, 0], 0)),
      ),
      task('Join', ['S', 'Wrong'], keep),
    ]);
    await expect(failed).rejects.toMatchObject({ code: 'MILLRACE_CONSERVATION' });
  });

  it('report a stall with the task and what it waits for, and fail a run that cannot go on', async () => {
    class Holds extends Task<number, number> {
      protected override process(n: number): number {
        return n;
      }
      override operator(scope: TaskScope): OperatorFunction<Batch<number>, Batch<number>> {
        scope.account.watch(() => ({ queued: 0, running: 0, waiting: 1 }));
        return (input$) =>
          new Observable((subscriber) =>
            input$.subscribe((batch) => {
              scope.account.in += batch.length;
              scope.account.out += batch.lineages.includes(3) ? batch.length - 1 : batch.length;
              subscriber.next(without(batch, 3));
            }),
          );
      }
    }
    const clock = virtualClock();
    const ended = runToEnd(
      [task('S', [], sourceTask(range(6))), task('Holds', ['S'], new Holds()), task('Join', ['S', 'Holds'], keep)],
      { clock },
    );
    const error: unknown = await clock.runUntil(ended).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'MILLRACE_STALLED',
      message: expect.stringContaining("'Join' waits for 'Holds' with record 3"),
    });
  });
});

describe('sources', () => {
  it.each<[string, () => never]>([
    ['an array', () => range(1000) as never],
    ['a generator', () => range(1000).values() as never],
    [
      'an async generator',
      () =>
        (async function* () {
          for (const n of range(1000)) yield await Promise.resolve(n);
        })() as never,
    ],
    [
      'an Observable',
      () =>
        new Observable<number>((s) => {
          for (const n of range(1000)) s.next(n);
          s.complete();
        }) as never,
    ],
  ])('give every record of %s, in order', async (_, make) => {
    const { outputs } = await runToEnd([task('S', [], sourceTask(make)), task('T', ['S'], keep)], { window: 10 });
    expect(outputs['T']).toEqual(range(1000));
  });

  it('are not read further than the window', async () => {
    let drawn = 0;
    const run = runToEnd(
      [
        task(
          'S',
          [],
          sourceTask(function* () {
            for (;;) yield drawn++;
          } as never),
        ),
        task(
          'T',
          ['S'],
          asyncTask(() => new Promise<number>(() => undefined)),
        ),
      ],
      { window: 5, signal: AbortSignal.timeout(50) },
    );
    await run;
    expect(drawn).toBe(5);
  });

  it.each(['drop-newest', 'drop-oldest'] as const)(
    'that push too fast follow %s, and count every record',
    async (overflow) => {
      const { summary, outputs } = await runToEnd([
        task(
          'S',
          [],
          sourceTask(
            () =>
              new Observable<number>((s) => {
                for (const n of range(100)) s.next(n);
                s.complete();
              }),
            { buffer: 10, overflow },
          ),
        ),
        task('T', ['S'], keep),
      ]);
      expect(outputs['T']).toEqual(overflow === 'drop-newest' ? range(10) : range(100).slice(90));
      expect([summary.tasks['S']?.in, summary.skipped]).toEqual([100, 90]);
    },
  );

  it('that push too fast fail the run by default, in words', async () => {
    const failed = runToEnd([
      task(
        'S',
        [],
        sourceTask(
          () =>
            new Observable<number>((s) => {
              for (const n of range(100)) s.next(n);
            }),
          { buffer: 10 },
        ),
      ),
      task('T', ['S'], keep),
    ]);
    await expect(failed).rejects.toMatchObject({
      code: 'MILLRACE_BUFFER_OVERFLOW',
      message:
        "'S' pushed more than 10 records ahead of its consumers. Raise `buffer`, pull instead of push, or name an overflow policy ('drop-newest', 'drop-oldest')",
    });
  });
});

describe('boundaries', () => {
  it('an endless expansion holds no more than the window, and ends when nobody wants more', async () => {
    const { outputs } = await runToEnd(
      [
        task('S', [], sourceTask([1])),
        task(
          'E',
          ['S'],
          expandTask(() => naturals()),
        ),
        task('O', ['E'], operatorTask<number, number>(take(25))),
      ],
      { window: 4 },
    );
    expect(outputs['O']).toEqual(range(25));
  });

  it('an operator that completes early stops an endless source', async () => {
    const { outputs, summary } = await runToEnd(
      [
        task(
          'S',
          [],
          sourceTask(() => naturals()),
        ),
        task('T', ['S'], keep),
        task('O', ['T'], operatorTask<number, number>(take(10))),
      ],
      { window: 8 },
    );
    expect(outputs['O']).toEqual(range(10));
    expect(summary.outcome).toBe('completed');
  });

  it('an operator that fails, fails the run', async () => {
    const failed = runToEnd([
      task('S', [], sourceTask([1, 2])),
      task(
        'O',
        ['S'],
        operatorTask<number, number>(
          map(() => {
            throw new Error('inside');
          }),
        ),
      ),
    ]);
    await expect(failed).rejects.toThrow("The operator of 'O' failed: inside");
  });

  it('an operator that needs time follows the time of the run', async () => {
    const clock = virtualClock();
    const ticks = sourceTask(
      () =>
        new Observable<number>((s) => {
          let n = 0;
          const tick = (): void => {
            s.next(n++);
            if (n < 6) clock.schedule(400, tick);
            else s.complete();
          };
          clock.schedule(400, tick);
        }),
    );
    const ended = runToEnd(
      [
        task('S', [], ticks),
        task(
          'O',
          ['S'],
          operatorTask<number, number[]>((n$, { scheduler }) => n$.pipe(bufferTime(1000, scheduler))),
        ),
      ],
      { clock },
    );
    const { outputs } = await clock.runUntil(ended);
    expect(outputs['O']).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
  });

  it('an aggregate with too many keys fails the run', async () => {
    const count = aggregateTask(
      { key: (n: number) => n, init: () => 0, add: (c) => c + 1, finish: (c) => c },
      { maxKeys: 3 },
    );
    const failed = runToEnd([task('S', [], sourceTask(range(10))), task('A', ['S'], count)]);
    await expect(failed).rejects.toMatchObject({ code: 'MILLRACE_AGGREGATE_OVERFLOW' });
  });

  it('a sink function gets records one at a time by default', async () => {
    let [now, most] = [0, 0];
    await runToEnd([
      task('S', [], sourceTask(range(20))),
      task(
        'K',
        ['S'],
        sinkTask(async () => {
          most = Math.max(most, ++now);
          await null;
          now--;
        }),
      ),
    ]);
    expect(most).toBe(1);
  });
});
