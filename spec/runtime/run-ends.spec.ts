import { describe, expect, it } from '@jest/globals';
import {
  asyncTask,
  operatorTask,
  sinkTask,
  sourceTask,
  SourceTask,
  syncTask,
  RecordTask,
  Workflow,
  type Checkpoint,
  type Run,
  type TaskContext,
  type TaskDeclaration,
} from 'millrace';
import { NEVER, delay, ignoreElements, merge, take, timer } from 'rxjs';
import type { Reader } from '#lib/stream/reader.js';
import { memoryCheckpoints, recordingDeadLetters, virtualClock } from 'millrace/testing';
import { runToEnd, task } from '../support/run-to-end.js';

const keep = syncTask<unknown, unknown>((value) => value);
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** On a busy machine a step of a run may come some turns later. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

function start(tasks: readonly TaskDeclaration[], options: Parameters<Workflow['run']>[1] = {}): Run {
  return new Workflow({ name: 'test', tasks: () => tasks }).run(undefined, options);
}

/** Opens and closes when the test says so, and keeps what was called. */
class Slow extends RecordTask<number, number> {
  readonly calls: string[] = [];
  openNow!: () => void;

  override open(): Promise<void> {
    this.calls.push('open');
    return new Promise((resolve) => {
      this.openNow = () => {
        this.calls.push('opened');
        resolve();
      };
    });
  }
  protected override process(n: number): number {
    return n;
  }
  override close(): void {
    this.calls.push('close');
  }
}

class Broken extends RecordTask<number, number> {
  override open(): Promise<void> {
    return Promise.reject(new Error('cannot open'));
  }
  protected override process(n: number): number {
    return n;
  }
}

describe('the end of a run', () => {
  it.each(['run-started', 'task-started', 'task-ended'] as const)(
    'leaves no timer behind and reads nothing more when a subscriber cancels on %s',
    async (type) => {
      const clock = virtualClock();
      let drawn = 0;
      const counted = sourceTask(function* () {
        while (drawn < 5) yield drawn++;
      } as never);
      const run = start([task('S', [], counted), task('T', ['S'], keep)], { clock });
      let drawnAtCancel = -1;
      run.events$.subscribe((event) => {
        if (event.type !== type || drawnAtCancel >= 0) return;
        drawnAtCancel = drawn;
        run.cancel();
      });
      const { outcome } = await clock.runUntil(run.finished);
      await turn();
      expect([outcome, clock.pending, drawn]).toEqual(['cancelled', 0, drawnAtCancel]);
    },
  );

  it('closes a task only after it has opened, also when the run is cancelled meanwhile', async () => {
    const slow = new Slow();
    const run = start([task('S', [], sourceTask([1])), task('T', ['S'], slow)]);
    await until(() => slow.calls.length > 0);
    run.cancel();
    await turn();
    slow.openNow();
    expect((await run.finished).outcome).toBe('cancelled');
    expect(slow.calls).toEqual(['open', 'opened', 'close']);
  });

  it('closes a task only after it has opened, also when another cannot open', async () => {
    const slow = new Slow();
    const run = start([task('S', [], sourceTask([1])), task('T', ['S'], slow), task('B', ['S'], new Broken())]);
    await until(() => slow.calls.length > 0);
    await turn();
    slow.openNow();
    await expect(run.finished).rejects.toThrow('cannot open');
    expect(slow.calls).toEqual(['open', 'opened', 'close']);
  });

  it('closes a sink only after the write that is under way', async () => {
    const calls: string[] = [];
    let isWritten: () => void = () => undefined;
    const sink = sinkTask({
      write: () =>
        new Promise<void>((resolve) => {
          calls.push('write');
          isWritten = () => {
            calls.push('written');
            resolve();
          };
        }),
      close: (outcome) => {
        calls.push(`close ${outcome}`);
      },
    });
    const run = start([task('S', [], sourceTask([1])), task('K', ['S'], sink)]);
    await until(() => calls.length > 0);
    run.cancel();
    await turn();
    isWritten();
    await run.finished;
    expect(calls).toEqual(['write', 'written', 'close cancelled']);
  });

  it('is a failure when a source cannot be released, however late it says so', async () => {
    class Leaky extends SourceTask<number> {
      protected override read(): number[] {
        return [];
      }
      protected override reader(): Reader<number> {
        let left = 2;
        return {
          read: () => (left-- > 0 ? [left] : null),
          close: async () => {
            for (let i = 0; i < 5; i++) await turn();
            throw new Error('cannot close');
          },
        };
      }
    }
    const run = start([task('S', [], new Leaky()), task('T', ['S'], keep)]);
    await expect(run.finished).rejects.toThrow('cannot close');
  });

  it('aborts the signal of every task, with the reason', async () => {
    const reasons: unknown[] = [];
    let isWaiting = false;
    const waits = asyncTask(
      (_n: number, { signal }) =>
        new Promise<number>((_, reject) => {
          isWaiting = true;
          signal.addEventListener('abort', () => {
            reasons.push((signal.reason as { code: string }).code);
            reject(new Error('aborted'));
          });
        }),
    );
    let opened: AbortSignal | undefined;
    const sink = sinkTask({
      open: ({ signal }: TaskContext) => {
        opened = signal;
      },
      write: () => undefined,
    });
    const run = start([task('S', [], sourceTask([1])), task('T', ['S'], waits), task('K', ['S'], sink)]);
    await until(() => isWaiting);
    run.cancel();
    await run.finished;
    expect([reasons, opened?.aborted]).toEqual([['MILLRACE_ABORTED'], true]);
  });

  it('comes once: cancel and drain after it change nothing', async () => {
    const run = start([task('S', [], sourceTask([1])), task('T', ['S'], keep)]);
    const summary = await run.finished;
    run.cancel();
    run.drain();
    expect((await run.finished).outcome).toBe('completed');
    expect(await run.finished).toBe(summary);
  });
});

describe('the watchdog', () => {
  it('says which operator keeps a run alive that has read everything, and a drain ends it', async () => {
    const clock = virtualClock();
    const never = operatorTask((n$) => merge(n$.pipe(ignoreElements()), NEVER));
    const tasks = [task('S', [], sourceTask(range(100))), task('Never', ['S'], never), task('K', ['Never'], keep)];
    const run = start(tasks, { clock });
    const reported: string[] = [];
    run.events$.subscribe((event) => {
      if (event.type === 'notice') reported.push(event.message);
    });
    await clock.advance(60_000);
    expect(reported).toEqual([expect.stringContaining("the operator of 'Never' has not completed")]);
    run.drain();
    expect((await clock.runUntil(run.finished)).outcome).toBe('drained');
  });

  it('takes an operator that waits for a timer for no stall, and says once that it is quiet', async () => {
    const clock = virtualClock();
    const late = operatorTask<number, number>((from, { scheduler }) => from.pipe(delay(60_000, scheduler)));
    const ticking = operatorTask<number, number>((from, { scheduler }) =>
      merge(from, timer(10_000, 10_000, scheduler).pipe(take(12))),
    );
    for (const operator of [late, ticking]) {
      const ended = runToEnd([task('S', [], sourceTask(range(8))), task('O', ['S'], operator)], { clock });
      const { summary, events } = await clock.runUntil(ended);
      expect([summary.outcome, events.filter(({ type }) => type === 'stall')]).toEqual(['completed', []]);
      expect(events.filter(({ type }) => type === 'notice')).toHaveLength(1);
    }
  });

  it('does not take a slow write for a stall', async () => {
    const clock = virtualClock();
    const sink = sinkTask({ write: () => new Promise<void>((resolve) => clock.schedule(60_000, resolve)) });
    const ended = runToEnd([task('S', [], sourceTask(range(8))), task('K', ['S'], sink)], { clock, window: 2 });
    const { summary, events } = await clock.runUntil(ended);
    expect([summary.outcome, events.filter(({ type }) => type === 'stall')]).toEqual(['completed', []]);
  });

  it('does not take a slow asynchronous task for a stall', async () => {
    const clock = virtualClock();
    const slow = asyncTask(
      (n: number) =>
        new Promise<number>((resolve) =>
          clock.schedule(60_000, () => {
            resolve(n);
          }),
        ),
    );
    const ended = runToEnd([task('S', [], sourceTask(range(4))), task('T', ['S'], slow)], { clock, window: 2 });
    expect((await clock.runUntil(ended)).summary.outcome).toBe('completed');
  });

  it('does not take dead letters that cannot be written for a stall', async () => {
    const clock = virtualClock();
    const deadLetters = recordingDeadLetters();
    const fragile = syncTask((n: number): number => {
      if (n === 3) {
        deadLetters.isFull = true;
        clock.schedule(60_000, () => {
          deadLetters.isFull = false;
        });
        throw new Error('three');
      }
      return n;
    });
    const ended = runToEnd(
      [
        task('S', [], sourceTask(range(10))),
        task('T', ['S'], fragile),
        task('O', [], sourceTask(range(10))),
        task('both', ['T', 'O'], keep, { join: 'latest' }),
      ],
      { clock, deadLetters, window: 2 },
    );
    const { summary } = await clock.runUntil(ended);
    expect([summary.outcome, summary.deadLettered]).toEqual(['completed', 1]);
  });

  it('fails where a source that is read again gives less than before, because its numbers are of other records', async () => {
    const incarnationOf = (records: readonly number[]): readonly TaskDeclaration[] => [
      task(
        'S',
        [],
        sourceTask(() => records),
      ),
      task('T', ['S'], keep),
    ];
    const kept = memoryCheckpoints();
    const first = start(incarnationOf(range(500)), { checkpoints: kept.begin(), window: 4 });
    first.output$('T').subscribe(() => {
      first.drain();
    });
    const { outcome, tasks } = await first.finished;
    expect(outcome).toBe('drained');
    const gave = tasks['S']?.out ?? 0;
    const second = start(incarnationOf([0]), { checkpoints: kept.begin(), resumeFrom: kept.last as Checkpoint });
    await expect(second.finished).rejects.toMatchObject({
      code: 'MILLRACE_RESUME',
      message: expect.stringMatching(
        new RegExp(`^Source 'S' gave \\d+ records, and ${gave} in an earlier incarnation of the run`),
      ),
    });
  });
});

it('has taken no time, not a negative one, in a task that never emitted', async () => {
  const run = start([
    task('Read', [], sourceTask(range(10))),
    task(
      'Hang',
      ['Read'],
      asyncTask(() => new Promise<number>(() => undefined)),
    ),
  ]);
  await until(() => (run.counts['Hang']?.inFlight ?? 0) > 0);
  run.cancel();
  const { tasks } = await run.finished;
  expect(tasks['Hang']).toMatchObject({ out: 0, elapsedMs: 0, recordsPerSecond: 0 });
});
