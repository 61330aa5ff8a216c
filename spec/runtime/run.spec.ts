import { describe, expect, it } from '@jest/globals';
import {
  aggregateTask,
  asyncTask,
  defineWorkflow,
  operatorTask,
  RunFailedError,
  sourceTask,
  syncTask,
  RecordTask,
  Workflow,
  type RunEvent,
} from 'millrace';
import { recordingDeadLetters, recordingSink } from 'millrace/testing';
import { bufferTime, filter, firstValueFrom, map, NEVER, toArray } from 'rxjs';
import { runToEnd, task } from '../support/run-to-end.js';

const keep = syncTask<unknown, unknown>((value) => value);
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);
function* naturals(): Generator<number> {
  for (let n = 0; ; n++) yield n;
}

describe('a run', () => {
  it('starts in the turn after it was made, so that subscribers miss nothing', async () => {
    const { events } = await runToEnd([task('S', [], sourceTask([1])), task('T', ['S'], keep)]);
    const types = events.map(({ type }) => type);
    expect(types.slice(-3)).toEqual(['progress', 'resources', 'run-ended']);
    // A slow machine may measure before the end too.
    const own = types.filter((type) => type !== 'progress' && type !== 'resources' && type !== 'slow-records');
    expect(own).toEqual(['run-started', 'task-started', 'task-started', 'task-ended', 'task-ended', 'run-ended']);
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
    class Fussy extends RecordTask<number, number> {
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
    const count = function* (): Generator<number> {
      while (drawn < 50) yield drawn++;
    };
    const run = new Workflow({
      name: 'Held',
      tasks: () => [
        task('S', [], sourceTask(count)),
        task(
          'T',
          ['S'],
          syncTask((): number => {
            throw new Error('no');
          }),
        ),
      ],
    }).run(undefined, { deadLetters });
    await firstValueFrom(run.events$.pipe(filter(({ type }) => type === 'task-started')));
    // Many more turns than a source needs to begin.
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(drawn).toBe(0);
    deadLetters.isFull = false;
    expect((await run.finished).deadLettered).toBe(50);
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
