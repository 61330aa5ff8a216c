/** What a request task does over time, with an upstream in process and a clock that is stepped. */
import { describe, expect, it } from '@jest/globals';
import { sharedLimiter } from '#lib/index.js';
import { start, times } from './support/virtual-upstream.js';

describe('retry', () => {
  it('waits without a slot, so that others go on, and reports until when', async () => {
    const { clock, calls, finished, events } = start(
      [0, 1, 2],
      (_, call) => ({ status: call === 1 ? 500 : 200, afterMs: 10 }),
      {
        concurrency: 1,
        retry: { baseMs: 1000, jitter: 'none' },
      },
    );
    await clock.advance(2000);
    expect(calls.map(({ record, atMs }) => [record, atMs])).toEqual([
      [0, 0],
      [1, 10],
      [2, 20],
      [0, 1010],
    ]);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'retry', attempt: 1, delayMs: 1000, code: 'MILLRACE_HTTP_STATUS' }),
    );
    expect((await finished).tasks['Ask']).toMatchObject({ out: 3, retried: 1, deadLettered: 0 });
    expect(clock.pending).toBe(0);
  });

  it('sends the same idempotency key with every attempt, another with every record, and a span of its own each time', async () => {
    const { clock, calls, finished } = start([5, 6], (_, call) => ({ status: call <= 2 ? 503 : 200 }), {});
    await clock.advance(10_000);
    await finished;
    const keys = (record: number): Set<unknown> =>
      new Set(calls.filter((call) => call.record === record).map(({ headers }) => headers['idempotency-key']));
    expect([keys(5).size, keys(6).size]).toEqual([1, 1]);
    expect([...keys(5)]).not.toEqual([...keys(6)]);
    expect(new Set(calls.map(({ headers }) => headers['traceparent'])).size).toBe(calls.length);
    for (const { headers } of calls) expect(headers['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(calls[0]?.headers['x-correlation-id']).toBe('r:0');
  });

  it('does not repeat a call with an unknown outcome where no key is sent', async () => {
    const { clock, finished } = start([0], () => ({ afterMs: 60_000 }), { idempotencyKey: false, timeoutMs: 100 });
    await clock.advance(200);
    expect((await finished).tasks['Ask']).toMatchObject({ deadLettered: 1, retried: 0 });
  });

  it('writes into a dead letter how often and since when it was tried', async () => {
    const { clock, events, finished } = start([0], () => ({ status: 500, afterMs: 10 }), {
      retry: { attempts: 3, baseMs: 100, jitter: 'none' },
    });
    await clock.advance(1000);
    await finished;
    const letter = events.find((event) => event.type === 'dead-letter')?.letter;
    expect(letter).toMatchObject({ attempts: 3 });
    expect((letter?.lastAt ?? 0) - (letter?.firstAt ?? 0)).toBe(330);
  });
});

describe('timeouts', () => {
  it('ends an attempt at its deadline and closes it', async () => {
    const { clock, upstream, events, finished } = start(times(3), () => ({ afterMs: 1e6 }), {
      timeoutMs: 500,
      retry: false,
    });
    await clock.advance(499);
    expect(upstream.inFlight).toBe(3);
    await clock.advance(1);
    expect(upstream.inFlight).toBe(0);
    expect((await finished).deadLettered).toBe(3);
    expect(events.find((event) => event.type === 'dead-letter')?.letter).toMatchObject({
      code: 'MILLRACE_TIMEOUT',
      attempts: 1,
    });
  });

  it('ends a record at its own, over all attempts and waits', async () => {
    const { clock, calls, events, finished } = start([0], () => ({ status: 500, afterMs: 10 }), {
      recordTimeoutMs: 250,
      retry: { attempts: 99, baseMs: 90, factor: 1, jitter: 'none' },
    });
    await clock.advance(1000);
    await finished;
    expect(calls).toHaveLength(3);
    expect(events.find((event) => event.type === 'dead-letter')?.letter).toMatchObject({
      code: 'MILLRACE_TIMEOUT',
      attempts: 3,
    });
    expect(clock.pending).toBe(0);
  });
});

describe('limits', () => {
  it('keeps to the rate, counted in records', async () => {
    const { clock, calls, finished } = start(times(30), () => ({}), { rateLimit: { perSecond: 10, burst: 5 } });
    await clock.advance(1000);
    expect(calls).toHaveLength(15);
    await clock.advance(2000);
    expect(calls).toHaveLength(30);
    await finished;
  });

  it('does not call a wait for the rate a stall', async () => {
    const { clock, events, finished } = start(times(3), () => ({}), { rateLimit: { perSecond: 0.1, burst: 1 } });
    await clock.advance(25_000);
    expect((await finished).tasks['Ask']?.out).toBe(3);
    expect(events.map(({ type }) => type)).not.toContain('stall');
  });

  it('never has more in flight than concurrency and the shared limiter allow', async () => {
    const limiter = sharedLimiter('ats', { concurrency: 3 });
    const own = start(times(20), () => ({ afterMs: 10 }), { concurrency: 4 });
    const shared = start(times(20), () => ({ afterMs: 10 }), { concurrency: 4, limiter });
    await own.clock.advance(100);
    await shared.clock.advance(100);
    await Promise.all([own.finished, shared.finished]);
    expect([own.upstream.peak, shared.upstream.peak, limiter.inFlight]).toEqual([4, 3, 0]);
  });

  it('gives a shared limiter back when the run is cancelled', async () => {
    const limiter = sharedLimiter('ats', { concurrency: 2 });
    const { clock, cancel, finished, upstream } = start(times(9), () => ({ afterMs: 1e6 }), { limiter });
    await clock.advance(10);
    expect([upstream.inFlight, limiter.inFlight]).toEqual([2, 2]);
    cancel();
    expect((await finished).outcome).toBe('cancelled');
    expect([upstream.inFlight, limiter.inFlight, clock.pending]).toEqual([0, 0, 0]);
  });

  it('takes turns by key', async () => {
    const { clock, calls, finished } = start([10, 11, 12, 13, 20, 21, 30], () => ({ afterMs: 1 }), {
      concurrency: 1,
      fairBy: (record) => Math.floor(record / 10),
    });
    await clock.advance(50);
    await finished;
    expect(calls.map(({ record }) => record)).toEqual([10, 20, 30, 11, 21, 12, 13]);
  });
});

describe('throttling', () => {
  it('waits as long as it was asked to, and counts no attempt', async () => {
    const { clock, calls, finished } = start(
      [0],
      (_, call) => (call === 1 ? { status: 429, headers: { 'retry-after': '7' } } : {}),
      {},
    );
    await clock.advance(6999);
    expect(calls).toHaveLength(1);
    await clock.advance(1);
    expect(calls).toHaveLength(2);
    expect((await finished).tasks['Ask']).toMatchObject({ out: 1, retried: 0 });
  });

  it('pauses the whole task when nothing but refusals comes back', async () => {
    const { clock, calls, events, finished } = start(
      times(200),
      () => (clock.monotonicMs() < 5000 ? { status: 429, headers: { 'retry-after': '5' } } : {}),
      { concurrency: 8 },
    );
    await clock.advance(4999);
    // Those that had started, and those that took the places of the first refused ones.
    expect(calls.length).toBeLessThan(16);
    expect(events.filter(({ type }) => type === 'throttled')).toHaveLength(1);
    await clock.advance(20_000);
    expect((await finished).tasks['Ask']).toMatchObject({ out: 200, deadLettered: 0 });
  });
});

describe('the circuit', () => {
  it('keeps a million records from becoming dead letters, and probes with one call', async () => {
    const { clock, calls, events, finished } = start(
      times(100),
      () => (clock.monotonicMs() < 10_000 ? { status: 503 } : {}),
      {
        concurrency: 4,
        retry: { attempts: 2, baseMs: 10 },
        breaker: { failures: 5, pauseMs: 1000, maxPauseMs: 4000 },
      },
    );
    await clock.advance(9999);
    const early = calls.length;
    expect(early).toBeLessThan(5 + 4 + 4);
    await clock.advance(60_000);
    const task = (await finished).tasks['Ask'];
    expect(task).toMatchObject({ out: 100, deadLettered: 0 });
    // What failed before it opened and its probes, each with another record, were attempts; what failed meanwhile was
    // none.
    const probes = events.filter((event) => event.type === 'circuit' && event.state === 'half-open').length;
    expect(task?.retried).toBeLessThanOrEqual(5 + probes);
    expect(events.filter(({ type }) => type === 'stall')).toEqual([]);
  });

  it('gives up a single record that always fails while others succeed', async () => {
    const { clock, finished } = start(times(50), (record) => (record === 3 ? { status: 500 } : {}), {
      concurrency: 2,
      retry: { attempts: 3, baseMs: 10 },
      breaker: { failures: 2 },
    });
    await clock.advance(60_000);
    expect((await finished).tasks['Ask']).toMatchObject({ out: 49, deadLettered: 1 });
  });

  it('fails the run past its deadline, without secrets of the URL', async () => {
    const { clock, events, finished } = start(times(100), () => ({ status: 503 }), {
      breaker: { failures: 3, deadlineMs: 30_000 },
    });
    const failed = finished.catch((error: unknown) => error);
    await clock.advance(40_000);
    const error = (await failed) as Error & { code: string };
    expect(error.code).toBe('MILLRACE_UPSTREAM_DOWN');
    expect(error.message).toContain('http://ats.example/predict');
    expect(error.message).not.toContain('secret');
    expect(events.filter(({ type }) => type === 'dead-letter')).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe('hedging', () => {
  it('tries slow calls a second time, takes the first reply, and closes the other', async () => {
    const { clock, calls, upstream, events, finished } = start(
      times(300),
      (record) => ({ afterMs: record === 250 && calls.filter((call) => call.record === 250).length === 1 ? 5000 : 10 }),
      { concurrency: 4, hedge: { samples: 50, minDelayMs: 20 } },
    );
    await clock.advance(1500);
    const summary = await finished;
    expect(summary.tasks['Ask']).toMatchObject({ out: 300, retried: 0 });
    expect(calls.filter(({ record }) => record === 250)).toHaveLength(2);
    expect(upstream.inFlight).toBe(0);
    expect(events.find((event) => event.type === 'calls')?.counts).toMatchObject({
      hedges: 1,
      hedgesWon: 1,
      hedgesLost: 1,
    });
    const [first, second] = calls.filter(({ record }) => record === 250);
    expect(second?.headers['idempotency-key']).toBe(first?.headers['idempotency-key']);
  });
});

describe('order', () => {
  it('is that of the input where it is asked for, also with retries', async () => {
    const { clock, outputs, finished } = start(
      times(20),
      (record, call) => ({ status: call === 2 ? 500 : 200, afterMs: 20 - record }),
      { ordered: true },
    );
    await clock.advance(5000);
    await finished;
    expect(outputs).toEqual(times(20).map((of) => ({ of })));
  });
});
