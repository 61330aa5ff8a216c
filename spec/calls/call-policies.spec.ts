import { describe, expect, it } from '@jest/globals';
import {
  adaptiveConcurrency,
  callPolicies,
  callTimeout,
  circuitBreaker,
  fairBy,
  hedgePolicy,
  rateLimit,
  retryPolicy,
  sharedLimiter,
  UpstreamError,
} from '#lib/index.js';

const down = (): UpstreamError => new UpstreamError('MILLRACE_NETWORK', 'gone', { blame: 'upstream', retryable: true });
const half = (): number => 0.5;

describe('retryPolicy', () => {
  const policy = retryPolicy({ attempts: 4, baseMs: 100, factor: 3, maxDelayMs: 500, budgetMs: 1000 });
  const after = (attempts: number, elapsedMs = 0, error: unknown = down()): number | undefined =>
    policy.delayAfter({ attempts, elapsedMs, error, random: half });

  it('backs off exponentially up to the cap, with full jitter', () => {
    expect([after(1), after(2), after(3)]).toEqual([50, 150, 250]);
    expect(policy.delayAfter({ attempts: 1, elapsedMs: 0, error: down(), random: () => 0 })).toBe(0);
  });

  it('ends after the last attempt, and where the delay would pass the budget', () => {
    expect(after(4)).toBeUndefined();
    expect(after(1, 950)).toBe(50);
    expect(after(1, 951)).toBeUndefined();
  });

  it('never comes back sooner than the upstream asked for', () => {
    const error = new UpstreamError('MILLRACE_HTTP_STATUS', 'busy', {
      blame: 'upstream',
      retryable: true,
      retryAfterMs: 700,
    });
    expect(after(1, 0, error)).toBe(750);
  });

  it('asks the error, or the statuses or the function it was given', () => {
    const status = (code: number): UpstreamError =>
      new UpstreamError('MILLRACE_HTTP_STATUS', 'no', { blame: 'record', status: code, retryable: code === 500 });
    expect(after(1, 0, new Error('plain'))).toBeUndefined();
    expect(retryPolicy({ statuses: [409] }).isRetryable(status(409))).toBe(true);
    expect(retryPolicy({ statuses: [409] }).isRetryable(status(500))).toBe(false);
    expect(retryPolicy({ retryOn: (error) => error instanceof TypeError }).isRetryable(new TypeError('x'))).toBe(true);
  });
});

describe('rateLimit', () => {
  it('admits the burst, then the rate, and counts records', () => {
    const bucket = rateLimit({ perSecond: 10, burst: 5 }).start(0);
    expect(bucket.acquire(3, 0)).toBe(0);
    expect(bucket.acquire(3, 0)).toBeCloseTo(100);
    expect(bucket.acquire(3, 100)).toBe(0);
    expect(bucket.acquire(1, 100)).toBeCloseTo(100);
  });

  it('has a small burst by default, so that a limit per second is kept in each second', () => {
    expect([1, 10, 100, 5000].map((perSecond) => rateLimit({ perSecond }).options.burst)).toEqual([1, 1, 2, 100]);
  });

  it('owes what a batch above the burst took', () => {
    const bucket = rateLimit({ perSecond: 10, burst: 5 }).start(0);
    expect(bucket.acquire(20, 0)).toBe(0);
    expect(bucket.acquire(1, 1000)).toBeGreaterThan(0);
    expect(bucket.acquire(1, 1600)).toBe(0);
  });
});

describe('adaptiveConcurrency', () => {
  /** An upstream that works on `capacity` at once, and is slower in proportion above. */
  const find = (capacity: number, growth: number, calls = 20_000): number => {
    const limit = adaptiveConcurrency({ max: 400 }).start();
    let seed = 1;
    for (let call = 0; call < calls; call++) {
      seed = (seed * 16807) % 2147483647;
      const noise = 0.9 + (0.2 * seed) / 2147483647;
      const inFlight = limit.limit;
      limit.recordSuccess(10 * noise * Math.max(1, inFlight / capacity) ** growth, inFlight);
    }
    return limit.limit;
  };

  it.each([
    [8, 1],
    [50, 1],
    [50, 2],
    [200, 1],
  ])('finds the capacity of %i (growth %i) to within what costs no throughput', (capacity, growth) => {
    const found = find(capacity, growth);
    const throughput = (n: number): number => n / Math.max(1, n / capacity) ** growth;
    expect(throughput(found) / throughput(capacity)).toBeGreaterThan(0.85);
    expect(found).toBeLessThan(capacity * 1.6 + 8);
  });

  it('shrinks on errors of load and stays within its bounds', () => {
    const limit = adaptiveConcurrency({ min: 4, max: 32, initial: 32 }).start();
    for (let failure = 0; failure < 500; failure++) limit.recordOverload(32);
    expect(limit.limit).toBe(4);
  });

  it('does not grow while something else holds the calls back', () => {
    const limit = adaptiveConcurrency({ initial: 16 }).start();
    for (let call = 0; call < 2000; call++) limit.recordSuccess(10, 3);
    expect(limit.limit).toBe(16);
  });
});

describe('sharedLimiter', () => {
  it('holds over all that share it, and wakes those who wait in turn', () => {
    const limiter = sharedLimiter('ats', { concurrency: 1 });
    const woken: string[] = [];
    const wake = (name: string) => () => {
      woken.push(name);
    };
    expect(limiter.acquire(1, 0, wake('a'))).toBe(0);
    expect(limiter.acquire(1, 0, wake('b'))).toBe(Infinity);
    expect(limiter.acquire(1, 0, wake('c'))).toBe(Infinity);
    limiter.release();
    expect(woken).toEqual(['b', 'c']);
    expect(limiter.inFlight).toBe(0);
  });
});

describe('sharedLimiter with a rate', () => {
  it('gets back the permit and the tokens of a call that does not start after all', () => {
    const limiter = sharedLimiter('ats', { concurrency: 2, rate: { perSecond: 1, burst: 3 } });
    const wake = (): void => undefined;
    for (let refused = 0; refused < 10; refused++) {
      expect(limiter.acquire(3, 0, wake)).toBe(0);
      limiter.giveBack(3);
    }
    expect(limiter.inFlight).toBe(0);
    expect(limiter.acquire(3, 0, wake)).toBe(0);
    expect(limiter.acquire(1, 0, wake)).toBe(1000);
  });
});

describe('callPolicies', () => {
  it('composes: the last of a kind holds, and sets go into sets', () => {
    const careful = callPolicies(retryPolicy({ attempts: 8 }), rateLimit({ perSecond: 50 }));
    const both = callPolicies(careful, retryPolicy({ attempts: 2 }), hedgePolicy());
    expect([both.retry.options.attempts, both.rateLimit?.options.perSecond, both.hedge?.options.quantile]).toEqual([
      2, 50, 0.95,
    ]);
    expect(careful.retry.options.attempts).toBe(8);
  });

  it('prints itself', () => {
    const limiter = sharedLimiter('ats', { concurrency: 64, rate: { perSecond: 10 } });
    const set = callPolicies(
      adaptiveConcurrency({ max: 128 }),
      limiter,
      rateLimit({ perSecond: 100, burst: 20 }),
      fairBy(function tenant() {
        return 1;
      }),
      callTimeout({ attemptMs: 2000, recordMs: 60_000 }),
      hedgePolicy({ share: 0.05 }),
    );
    expect(String(set).split(' · ')).toEqual([
      'concurrency chosen between 1 and 128',
      "limiter 'ats': 64 in flight, at most 10 records/s, burst 1",
      'at most 100 records/s, burst 20',
      'fair turns by tenant',
      'timeout 2 s per attempt, 60 s per record',
      'retry up to 5 attempts, 200 ms × 2ⁿ up to 20 s, full jitter, within 120 s',
      'circuit opens after 10 failures in a row or 80 % of 50, 1 probe after 1 s up to 30 s, down at most 300 s',
      'hedge after p95, at least 5 ms, at most 5 % of calls',
    ]);
  });

  it.each([
    ['retry', () => retryPolicy({ attempts: 0 })],
    ['rate', () => rateLimit({ perSecond: 0 })],
    ['burst', () => rateLimit({ perSecond: 1, burst: 0.5 })],
    ['breaker', () => circuitBreaker({ pauseMs: 10, maxPauseMs: 5 })],
    ['limiter', () => sharedLimiter('x', { concurrency: 1.5 })],
    ['unknown', () => retryPolicy({ tries: 3 } as never)],
    ['no policy', () => callPolicies({} as never)],
  ])('refuses a wrong %s', (_, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'MILLRACE_INVALID_OPTION' }));
  });
});
