/** An asynchronous function with policies: attempts, timeouts and limits, in virtual time. */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { Observable } from 'rxjs';
import { z } from 'zod';
import {
  asyncTask,
  callPolicies,
  defineWorkflow,
  rateLimit,
  retryPolicy,
  sharedLimiter,
  sinkTask,
  skip,
  sourceTask,
  type AsyncFunction,
  type AsyncOptions,
  type RecordContext,
  type Run,
  type RunEvent,
  type RunSummary,
} from 'millrace';
import { faultInjector, recordingDeadLetters, recordingSink, virtualClock, type VirtualClock } from 'millrace/testing';

interface Trial {
  readonly outputs: readonly unknown[];
  readonly letters: readonly { code: string; message: string; attempts: number }[];
  readonly summary: RunSummary;
  readonly events: readonly RunEvent[];
  readonly clock: VirtualClock;
}

async function trial(
  records: readonly number[],
  make: (clock: VirtualClock) => AsyncFunction<number, unknown>,
  options: AsyncOptions<number, unknown>,
  /** Timers of the function that outlive the run. */
  left = 0,
): Promise<Trial> {
  const clock = virtualClock();
  const sink = recordingSink<unknown>();
  const deadLetters = recordingDeadLetters();
  const events: RunEvent[] = [];
  const run = defineWorkflow({
    name: 'Functions',
    build: (flow) =>
      flow
        .task('Read', sourceTask(records))
        .task('Save', ['Read'], asyncTask(make(clock), options))
        .task('Keep', ['Save'], sink.task),
  }).run(undefined, { clock, deadLetters, seed: 1 });
  run.events$.subscribe((event) => events.push(event));
  const summary = await clock.runUntil(run.finished);
  const letters = deadLetters.letters.map(({ code, message, attempts }) => ({ code, message, attempts }));
  expect(clock.pending).toBe(left);
  return { outputs: sink.records, letters, summary, events, clock };
}

const times = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const failingUntil =
  (last: number, error: unknown = new Error('busy')) =>
  (): AsyncFunction<number, number> =>
  (record, { attempt }) => {
    if (attempt < last) throw error;
    return Promise.resolve(record * 10 + attempt);
  };

describe('an asyncTask with `retry`', () => {
  it('repeats what fails, and says which attempt it is', async () => {
    const { outputs, letters, summary, events } = await trial([1, 2], failingUntil(3), { retry: { attempts: 3 } });
    expect([outputs, letters, summary.tasks['Save']?.retried]).toEqual([[13, 23], [], 4]);
    expect(events.filter(({ type }) => type === 'retry')).toHaveLength(4);
  });

  it('waits longer from attempt to attempt', async () => {
    const retry = { attempts: 4, baseMs: 100, factor: 10, jitter: 'none' } as const;
    const { clock } = await trial([1], failingUntil(4), { retry });
    expect(clock.monotonicMs()).toBe(100 + 1000 + 10_000);
  });

  it('gives up after the last attempt, with the error as it was thrown', async () => {
    const error = Object.assign(new Error('no disk'), { code: 'ENOSPC' });
    const { letters } = await trial([1], failingUntil(9, error), { retry: { attempts: 2 } });
    expect(letters).toEqual([{ code: 'ENOSPC', message: 'no disk', attempts: 2 }]);
  });

  it.each([
    ['that says it will not pass', Object.assign(new Error('no'), { retryable: false })],
    ['that the given function refuses', new TypeError('no')],
  ])('does not repeat an error %s', async (_, error) => {
    const retry = { attempts: 5, ...(error instanceof TypeError ? { retryOn: () => false } : {}) };
    const { letters } = await trial([1], failingUntil(9, error), { retry });
    expect(letters.map(({ attempts }) => attempts)).toEqual([1]);
  });

  it('does not repeat what a schema refuses', async () => {
    const { letters } = await trial([1], () => () => Promise.resolve('text'), {
      retry: { attempts: 5 },
      output: z.number(),
    });
    expect(letters.map(({ code, attempts }) => [code, attempts])).toEqual([['MILLRACE_INVALID_OUTPUT', 1]]);
  });

  it('prints its policies without names of our own, and takes what is undefined as not said', async () => {
    const { summary } = await trial([1, 2], failingUntil(3), {
      retry: { attempts: 3, retryOn: undefined } as never,
    });
    const policies = summary.tasks['Save']?.calls?.policies;
    expect([summary.outcome, summary.deadLettered]).toEqual(['completed', 0]);
    expect(policies).toContain('retry up to 3 attempts');
    expect(policies).not.toContain(' says');
  });

  it('takes a policy that was made elsewhere as it is', async () => {
    const { letters } = await trial([1], failingUntil(9), { retry: retryPolicy({ attempts: 5 }) });
    expect(letters.map(({ attempts }) => attempts)).toEqual([1]);
  });

  it('lets a record be skipped, and others through while one waits', async () => {
    const work =
      (): AsyncFunction<number, unknown> =>
      (record, { attempt }) => {
        if (record === 0) return skip('not today');
        if (record === 1 && attempt === 1) return Promise.reject(new Error('once'));
        return Promise.resolve(record);
      };
    const { outputs, summary } = await trial(times(4), work, { retry: { attempts: 2 }, concurrency: 1 });
    expect([outputs, summary.skipped]).toEqual([[1, 2, 3], 1]);
  });

  it('brings records through faults by a seed', async () => {
    let injected = 0;
    const { outputs } = await trial(
      times(300),
      (clock) => {
        const faults = faultInjector({ seed: 4, clock, error: 0.2, hang: 0.1, lostReply: 0.1, atMost: 3 });
        return (record, context) => {
          injected = Object.values(faults.injected).reduce((sum, count) => sum + count, 0);
          return faults.around((n: number) => Promise.resolve(n))(record, context);
        };
      },
      { retry: { attempts: 5 }, timeoutMs: 1000, ordered: true },
    );
    expect(outputs).toEqual(times(300));
    expect(injected).toBeGreaterThan(100);
  });
});

describe('an asyncTask with `timeoutMs`', () => {
  const silent: (aborted: number[]) => () => AsyncFunction<number, unknown> = (aborted) => () => (record, context) =>
    new Promise((resolve) => {
      context.signal.addEventListener('abort', () => {
        aborted.push(record);
        resolve('too late');
      });
    });

  it('ends an attempt that takes too long, and aborts its signal', async () => {
    const aborted: number[] = [];
    const { letters, outputs, clock } = await trial([7], silent(aborted), { timeoutMs: 500 });
    expect([letters.map(({ code }) => code), outputs, aborted]).toEqual([['MILLRACE_TIMEOUT'], [], [7]]);
    expect(clock.monotonicMs()).toBe(500);
  });

  it('speaks of a function, in the letter and to the function itself', async () => {
    const reasons: unknown[] = [];
    const work =
      (): AsyncFunction<number, unknown> =>
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason);
            reject(signal.reason as Error);
          });
        });
    const { letters, summary } = await trial([7], work, { timeoutMs: 500 });
    const message =
      "The function of 'Save' did not end within 500 ms; it may still be running, and its result will be dropped";
    expect(letters).toEqual([{ code: 'MILLRACE_TIMEOUT', message, attempts: 1 }]);
    expect(reasons).toEqual([expect.objectContaining({ code: 'MILLRACE_TIMEOUT', message })]);
    // It has stopped as it was asked to: that is no result that came late.
    expect(summary.tasks['Save']?.calls?.counts).toMatchObject({ timeouts: 1, late: 0 });
    const all = await trial([7], work, { recordTimeoutMs: 700 });
    expect(all.letters[0]?.message).toBe(message.replace('500 ms', '700 ms over all attempts'));
  });

  it('repeats it where that is asked for, within the time of the record', async () => {
    const aborted: number[] = [];
    const { letters, clock } = await trial([7], silent(aborted), {
      timeoutMs: 500,
      recordTimeoutMs: 1200,
      retry: { attempts: 9, baseMs: 0 },
    });
    expect([letters.length, aborted, clock.monotonicMs()]).toEqual([1, [7, 7, 7], 1200]);
  });

  it('takes all the time it wants without one, however many policies hold', async () => {
    const work =
      (clock: VirtualClock): AsyncFunction<number, string> =>
      () =>
        new Promise((done) =>
          clock.schedule(86_400_000, () => {
            done('a day');
          }),
        );
    const { outputs } = await trial([1], work, { retry: { attempts: 2 } });
    expect(outputs).toEqual(['a day']);
  });
});

describe('an asyncTask whose function goes on after its timeout', () => {
  /** Functions that take `ms` whatever their signal says, and how many of them there were at once. */
  const deaf = (ms: number, started: { now: number; most: number }) => (clock: VirtualClock) => (record: number) =>
    new Promise<number>((done) => {
      started.most = Math.max(started.most, ++started.now);
      clock.schedule(ms, () => {
        started.now--;
        done(record);
      });
    });

  it('never runs more than `concurrency` of them, retries included, and counts what comes late', async () => {
    const started = { now: 0, most: 0 };
    const options = { concurrency: 2, timeoutMs: 10, retry: { attempts: 3, baseMs: 0 } };
    const { letters, summary, events } = await trial(times(50), deaf(100, started), options, 2);
    expect(started.most).toBe(2);
    expect(letters).toHaveLength(50);
    expect(letters.every(({ code, attempts }) => code === 'MILLRACE_TIMEOUT' && attempts === 3)).toBe(true);
    // The run is over before the last two functions are.
    expect(summary.tasks['Save']?.calls?.counts).toMatchObject({ attempts: 150, timeouts: 150, late: 148 });
    // Each ends before anybody needs to hear of it.
    expect(events.filter(({ type }) => type === 'notice')).toEqual([]);
  });

  it('says once that it waits for them, and goes on when one ends', async () => {
    const started = { now: 0, most: 0 };
    const { letters, summary, events } = await trial(
      times(6),
      deaf(60_000, started),
      { concurrency: 2, timeoutMs: 10 },
      2,
    );
    const reported = events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
    expect(reported).toEqual([
      "'Save' waits: all 2 calls that 'Save' may have in flight took longer than the timeout, and their functions have " +
        'not ended. Let the function end when `context.signal` aborts, or raise its timeout; if none ends within 300 s, the run fails',
    ]);
    expect([summary.outcome, letters.length, started.most]).toEqual(['completed', 6, 2]);
    expect(events.map(({ type }) => type)).not.toContain('stall');
  });

  it('fails the run where none of them ever ends', async () => {
    const never = (): AsyncFunction<number, number> => () => new Promise(() => undefined);
    const failed = trial(times(6), never, { concurrency: 2, timeoutMs: 10 });
    await expect(failed).rejects.toMatchObject({
      code: 'MILLRACE_STALLED',
      message: expect.stringContaining("'Save' has waited 300 s: all 2 calls that 'Save' may have in flight"),
    });
  });

  it('ends with the last record all the same', async () => {
    const never = (): AsyncFunction<number, number> => () => new Promise(() => undefined);
    const { summary, letters, clock } = await trial(times(2), never, { concurrency: 2, timeoutMs: 10 });
    expect([summary.outcome, letters.length, clock.monotonicMs()]).toEqual(['completed', 2, 10]);
  });

  it('holds its place in a shared limit, and the other tasks are informed', async () => {
    const clock = virtualClock();
    const limiter = sharedLimiter('disk', { concurrency: 1 });
    const started = { now: 0, most: 0 };
    const work = deaf(30_000, started)(clock);
    const run = defineWorkflow({
      name: 'Shared',
      build: (flow) =>
        flow
          // It stays open, so that the first task does, with the call it has given up.
          .task(
            'Read',
            sourceTask(
              new Observable<number>((to) => {
                to.next(1);
                clock.schedule(40_000, () => {
                  to.complete();
                });
              }),
            ),
          )
          .task('First', ['Read'], asyncTask(work, { limiter, timeoutMs: 10, onFailure: { fallback: 0 } }))
          .task('Gate', ['Read'], asyncTask(deaf(5, { now: 0, most: 0 })(clock)))
          .task('Second', ['Gate'], asyncTask(work, { limiter, timeoutMs: 60_000 }))
          .task(
            'Third',
            ['First', 'Second'],
            sinkTask(() => undefined),
          ),
    }).run(undefined, { clock });
    const { outcome } = await clock.runUntil(run.finished);
    expect([outcome, started.most, limiter.inFlight]).toEqual(['completed', 1, 0]);
  });
});

describe('an asyncTask with limits', () => {
  it('keeps to a rate, and to its concurrency', async () => {
    let inFlight = 0;
    let peak = 0;
    const work =
      (clock: VirtualClock): AsyncFunction<number, number> =>
      async (record) => {
        peak = Math.max(peak, ++inFlight);
        await new Promise<void>((done) => clock.schedule(3000, done));
        inFlight--;
        return record;
      };
    const limited = await trial(times(10), work, { rateLimit: { perSecond: 1, burst: 1 }, concurrency: 2 });
    expect([peak, limited.outputs.length]).toEqual([2, 10]);
    expect(limited.clock.monotonicMs()).toBeGreaterThanOrEqual(15_000);
  });

  it('shares a limit with other tasks, and takes policies as a set', async () => {
    const limiter = sharedLimiter('disk', { concurrency: 1 });
    const { clock, outputs } = await trial(
      times(3),
      (clock) => (record) =>
        new Promise((done) =>
          clock.schedule(100, () => {
            done(record);
          }),
        ),
      { limiter, policies: callPolicies(rateLimit({ perSecond: 1000 })) },
    );
    expect([outputs, clock.monotonicMs(), limiter.inFlight]).toEqual([[0, 1, 2], 300, 0]);
  });

  it.each([
    [{ timeoutMs: 0 }, '`timeoutMs` of an asyncTask to be a number from 1'],
    [{ retry: { attempts: 0 } }, '`attempts` of a retry policy to be a whole number of at least 1'],
    [{ limiter: {} as never }, '`limiter` of an asyncTask to be made by sharedLimiter(…)'],
    [{ concurrency: 0, timeoutMs: 5 }, '`concurrency` of an asyncTask to be a whole number of at least 1'],
  ])('refuses %j', (options, message) => {
    expect(() => asyncTask((n: number) => Promise.resolve(n), options)).toThrow(message);
  });
});

it('cancels what is under way when the run is cancelled', async () => {
  const clock = virtualClock();
  let aborted = 0;
  const run = defineWorkflow({
    name: 'Cancelled',
    build: (flow) =>
      flow.task('Read', sourceTask(times(5))).task(
        'Wait',
        ['Read'],
        asyncTask<number, never>(
          (_, { signal }) =>
            new Promise(() => {
              signal.addEventListener('abort', () => aborted++);
            }),
          {
            timeoutMs: 60_000,
          },
        ),
      ),
  }).run(undefined, { clock });
  await clock.advance(1000);
  run.cancel();
  const { outcome } = await clock.runUntil(run.finished);
  expect([outcome, aborted, clock.pending]).toEqual(['cancelled', 5, 0]);
});

describe('the signal of a function without policies', () => {
  /** A run whose function does with each record what the record demands, and then waits for a minute. */
  const waiting = (clock: VirtualClock, then: (context: RecordContext) => void, ms = 60_000): Run =>
    defineWorkflow({
      name: 'Signals',
      build: (flow) =>
        flow.task('Read', sourceTask(times(100))).task(
          'Wait',
          ['Read'],
          asyncTask<number, number>(
            (record, context) =>
              new Promise((done) => {
                then(context);
                clock.schedule(ms, () => {
                  done(record);
                });
              }),
          ),
        ),
    }).run(undefined, { clock });

  it('is its own for each record, so that listeners do not pile up on one', async () => {
    const clock = virtualClock();
    const signals = new Set<AbortSignal>();
    const run = waiting(clock, ({ signal }) => {
      signal.addEventListener('abort', () => undefined);
      signals.add(signal);
    });
    await clock.runUntil(run.finished);
    const listeners = [...signals].map((signal) => getEventListeners(signal, 'abort').length);
    expect(listeners).toEqual(Array(100).fill(1));
    expect([...signals].some(({ aborted }) => aborted)).toBe(false);
  });

  it('aborts with the reason when the run is cancelled, for those under way, and also where it is asked for only then', async () => {
    const clock = virtualClock();
    const contexts: RecordContext[] = [];
    const reasons: unknown[] = [];
    const run = waiting(clock, (context) => {
      contexts.push(context);
      // Half of them ask later.
      if (contexts.length % 2 === 0) return;
      context.signal.addEventListener('abort', () => reasons.push(context.signal.reason));
    });
    await clock.advance(1000);
    run.cancel();
    await run.finished;
    expect(contexts).toHaveLength(64);
    expect(reasons).toEqual(Array(32).fill(expect.objectContaining({ code: 'MILLRACE_ABORTED' })));
    expect(contexts.filter(({ signal }) => signal.aborted)).toHaveLength(64);
  });
});
