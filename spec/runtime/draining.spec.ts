/** A run that is asked to stop: what has started settles, what has not stays, and a grace bounds both. */
import { describe, expect, it } from '@jest/globals';
import {
  asyncTask,
  expandTask,
  RecordTask,
  sinkTask,
  sourceTask,
  Workflow,
  type Run,
  type RunOptions,
  type TaskDeclaration,
} from 'millrace';
import { memoryCheckpoints, virtualClock } from 'millrace/testing';
import { task } from '../support/run-to-end.js';

const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

function start(tasks: readonly TaskDeclaration[], options: RunOptions): Run {
  return new Workflow({ name: 'test', tasks: () => tasks }).run(undefined, options);
}

/** Calls that take a second each of virtual time, and the tasks around them. */
function slowCalls(clock: ReturnType<typeof virtualClock>): {
  readonly calls: number[];
  readonly written: number[];
  readonly tasks: () => readonly TaskDeclaration[];
} {
  const calls: number[] = [];
  const written: number[] = [];
  const later = (n: number): Promise<number> =>
    new Promise((resolve) => {
      calls.push(n);
      clock.schedule(1000, () => {
        resolve(n);
      });
    });
  const tasks = (): readonly TaskDeclaration[] => [
    task('S', [], sourceTask(range(50))),
    task('Ask', ['S'], asyncTask(later, { concurrency: 5 })),
    task(
      'K',
      ['Ask'],
      sinkTask({
        write: (records: readonly number[]) => {
          written.push(...records);
        },
      }),
    ),
  ];
  return { calls, written, tasks };
}

describe('a run that drains', () => {
  it('starts no call any more if it can be resumed, and the resumed run makes the calls that it let go', async () => {
    const clock = virtualClock();
    const kept = memoryCheckpoints();
    const { calls, written, tasks } = slowCalls(clock);
    const first = start(tasks(), { clock, checkpoints: kept.begin() });
    await clock.advance(2500);
    const before = [...calls];
    const drainedAtMs = clock.monotonicMs();
    first.drain();
    expect((await clock.runUntil(first.finished)).outcome).toBe('drained');
    expect(calls).toEqual(before);
    expect(written).toHaveLength(before.length);
    expect(clock.monotonicMs() - drainedAtMs).toBeLessThan(1100);
    const second = start(tasks(), { clock, checkpoints: kept.begin(), resumeFrom: kept.last });
    expect((await clock.runUntil(second.finished)).outcome).toBe('completed');
    expect([...calls].sort((a, b) => a - b)).toEqual(range(50));
    expect([...written].sort((a, b) => a - b)).toEqual(range(50));
  });

  it('makes every call if it cannot be resumed, because nothing else would', async () => {
    const clock = virtualClock();
    const { calls, written, tasks } = slowCalls(clock);
    const run = start(tasks(), { clock });
    await clock.advance(2500);
    run.drain();
    await clock.runUntil(run.finished);
    expect([calls.length, written.length]).toEqual([50, 50]);
  });

  it('gives no call another attempt, so an upstream that is down does not hold it', async () => {
    const clock = virtualClock();
    const kept = memoryCheckpoints();
    let calls = 0;
    const down = asyncTask<number, number>(
      () => {
        calls++;
        return Promise.reject(new Error('down'));
      },
      { retry: { attempts: 100, baseMs: 60_000 }, concurrency: 5 },
    );
    const run = start([task('S', [], sourceTask(range(50))), task('Ask', ['S'], down)], {
      clock,
      checkpoints: kept.begin(),
    });
    await clock.advance(1000);
    const before = calls;
    const drainedAtMs = clock.monotonicMs();
    run.drain();
    const { outcome, deadLettered } = await clock.runUntil(run.finished);
    expect([outcome, deadLettered, calls]).toEqual(['drained', 0, before]);
    expect(clock.monotonicMs() - drainedAtMs).toBeLessThan(500);
  });

  it('lets go the records of tasks of a class of their own, and the parents of an expansion', async () => {
    const clock = virtualClock();
    const begun: number[] = [];
    const wait = <T>(n: number, result: T): Promise<T> =>
      new Promise((resolve) => {
        begun.push(n);
        clock.schedule(1000, () => {
          resolve(result);
        });
      });
    class Slow extends RecordTask<number, number> {
      protected override process(n: number): Promise<number> {
        return wait(n, n);
      }
    }
    for (const slow of [new Slow({ concurrency: 2 }), expandTask((n: number) => wait(n, [n, n]))]) {
      begun.length = 0;
      const run = start([task('S', [], sourceTask(range(20))), task('Slow', ['S'], slow)], {
        clock,
        checkpoints: memoryCheckpoints().begin(),
      });
      await clock.advance(1500);
      const before = begun.length;
      run.drain();
      expect((await clock.runUntil(run.finished)).outcome).toBe('drained');
      expect([before, begun.length]).toEqual([expect.any(Number), before]);
      expect(before).toBeLessThan(6);
    }
  });

  it('is no stalled run if the last work ends when the watchdog looks', async () => {
    const clock = virtualClock();
    const children = (n: number): Promise<number[]> =>
      new Promise((resolve) => {
        // The watchdog looks each second, the drain each 20 ms.
        clock.schedule(2990, () => {
          resolve([n]);
        });
      });
    const run = start([task('S', [], sourceTask(range(3))), task('E', ['S'], expandTask(children))], {
      clock,
      checkpoints: memoryCheckpoints().begin(),
    });
    await clock.advance(500);
    run.drain();
    expect((await clock.runUntil(run.finished)).outcome).toBe('drained');
  });

  it.each([true, false])('is aborted when its grace is over (kept: %s)', async (isKept) => {
    const clock = virtualClock();
    const never = asyncTask<number, number>(() => new Promise(() => undefined), { timeoutMs: 3_600_000 });
    const kept = memoryCheckpoints();
    const run = start([task('S', [], sourceTask(range(5))), task('Never', ['S'], never)], {
      clock,
      graceMs: 8000,
      ...(isKept ? { checkpoints: kept.begin() } : {}),
    });
    const notices: string[] = [];
    run.events$.subscribe((event) => {
      if (event.type === 'notice') notices.push(event.message);
    });
    await clock.advance(1000);
    const drainedAtMs = clock.monotonicMs();
    run.drain();
    expect((await clock.runUntil(run.finished)).outcome).toBe('cancelled');
    expect(clock.monotonicMs() - drainedAtMs).toBe(8000);
    expect(notices).toEqual(['The grace of 8 s is over: the records still in flight are aborted']);
    if (isKept) expect(kept.last?.obstacle).toBeUndefined();
  });

  it('takes the grace of the drain before that of the run', async () => {
    const clock = virtualClock();
    const never = asyncTask<number, number>(() => new Promise(() => undefined), { timeoutMs: 3_600_000 });
    const run = start([task('S', [], sourceTask(range(5))), task('Never', ['S'], never)], { clock, graceMs: 8000 });
    await clock.advance(1000);
    run.drain({ graceMs: 0 });
    expect((await clock.runUntil(run.finished)).outcome).toBe('cancelled');
  });
});
