/**
 * Records that always fail, upstreams that are down, and upstreams that ask for less: what ends as a dead letter, and
 * when.
 */
import { describe, expect, it } from '@jest/globals';
import axios from 'axios';
import { asyncTask, callPolicies, circuitBreaker, retryPolicy, UpstreamError } from '#lib/index.js';
import { isLong } from '../support/long.js';
import { ask, asking, limited, poisonOf, type LimitKind } from './asked-runs.js';

const ORDERS = ['first', 'last', 'spread', 'random'];
/** Sizes and numbers of poison. */
const MIXES: readonly (readonly [number, number])[] = [
  [2, 1],
  [10, 9],
  [15, 12],
  [100, 1],
  [100, 99],
  [1000, 3],
  [1000, 500],
  [1000, 999],
  [2000, 1900],
];

/** The short form has one order of the large mixes. */
function ordersOf(size: number): readonly string[] {
  return isLong || size < 1000 ? ORDERS : ['random'];
}

const LARGE: readonly (readonly [number, number, string])[] = [
  [2500, 3000, 'first'],
  [5000, 10_000, 'first'],
  [5000, 10_000, 'last'],
  [9000, 18_000, 'stretches'],
  [99_999, 100_000, 'first'],
  [50_000, 100_000, 'stretches'],
  [200, 20_000, 'random'],
  [5000, 10_000, 'spread'],
  [4950, 5000, 'random'],
];

describe('records that always fail', () => {
  const cases = [
    ...MIXES.flatMap(([size, bad]) => ordersOf(size).map((order) => [bad, size, order] as const)),
    ...(isLong ? LARGE : []),
  ];
  it.each(cases)(
    'alone are dead letters, within three times the time: %i of %i, %s',
    async (bad, size, order) => {
      const poison = poisonOf(size, bad, order);
      const ended = await ask(size, undefined, asking(poison, true));
      const without = await ask(size, undefined, asking(poison, false));
      expect([ended.outcome, ended.out]).toEqual(['completed', size - bad]);
      expect(new Set(ended.letters.map(({ record }) => record))).toEqual(poison);
      expect(ended.letters.every(({ attempts }) => attempts === 5)).toBe(true);
      expect(ended.seconds).toBeLessThanOrEqual(3 * without.seconds);
      // The largest runs take minutes of real time.
    },
    600_000,
  );

  it.each(['first', 'last'])('alone are dead letters in a stretch longer than the window: %s', async (order) => {
    const poison = poisonOf(600, 500, order);
    const ended = await ask(600, undefined, asking(poison, true), 128);
    const without = await ask(600, undefined, asking(poison, false), 128);
    expect([ended.outcome, ended.out]).toEqual(['completed', 100]);
    expect(new Set(ended.letters.map(({ record }) => record))).toEqual(poison);
    expect(ended.seconds).toBeLessThanOrEqual(3 * without.seconds);
  });

  it('stop the run, without a dead letter, though records beyond the window were asked', async () => {
    const ended = await ask(700, undefined, asking(poisonOf(700, 700, 'first'), true), 32);
    expect(ended).toMatchObject({
      outcome: 'failed',
      out: 0,
      letters: [],
      failure: { code: 'MILLRACE_UPSTREAM_DOWN' },
    });
  });

  it('are asked in turn, and never let others in before them, if the window is one record', async () => {
    const ended = await ask(30, undefined, asking(poisonOf(30, 3, 'first'), true), 1);
    expect([ended.outcome, ended.out, ended.letters.length]).toEqual(['completed', 27, 3]);
    expect(ended.mostInFlight).toBe(1);
  });

  it.each([
    [503, 3, 1000, 'spread'],
    [503, 3, 1000, 'last'],
    [503, 100, 200, 'random'],
    [504, 1, 20, 'first'],
  ])(
    'alone are dead letters also if a gateway answers for them: %i for %i of %i, %s',
    async (status, bad, size, order) => {
      const poison = poisonOf(size, bad, order);
      const ended = await ask(size, (record) => ({ status: poison.has(record) ? status : 200, body: 0, afterMs: 20 }));
      expect([ended.outcome, ended.out, ended.letters.length]).toEqual(['completed', size - bad, bad]);
      expect(ended.seconds).toBeLessThan(20);
    },
  );

  it('cost the others nothing if each asks for a long wait', async () => {
    const headers = { 'retry-after': '3600' };
    const ended = await ask(500, (record) => (record % 100 === 7 ? { status: 503, headers } : { afterMs: 20 }));
    expect([ended.outcome, ended.out, ended.letters.length]).toEqual(['completed', 495, 5]);
  });

  it.each([500, 503])(
    'stop the run at its deadline, without a dead letter, if there is no other record: %i',
    async (status) => {
      const ended = await ask(1000, () => ({ status, body: { reason: 'disk full' }, afterMs: 20 }));
      expect(ended).toMatchObject({
        outcome: 'failed',
        out: 0,
        letters: [],
        failure: { code: 'MILLRACE_UPSTREAM_DOWN' },
      });
      expect(ended.failure?.message).toContain('disk full');
      expect(ended.seconds).toBeLessThan(320);
    },
  );

  it('are dead letters if there is only one', async () => {
    const ended = await ask(1, () => ({ status: 503, afterMs: 20 }));
    expect(ended).toMatchObject({ outcome: 'completed', letters: [{ attempts: 5 }] });
  });
});

describe('an upstream in maintenance', () => {
  it.each([undefined, '30', '119', '120', '300', '86400'])('costs no record, with Retry-After %s', async (seconds) => {
    const headers: Record<string, string> = seconds === undefined ? {} : { 'retry-after': seconds };
    const ended = await ask(
      1000,
      (_, __, nowMs) => (nowMs >= 200 && nowMs < 90_200 ? { status: 503, headers, afterMs: 5 } : { afterMs: 50 }),
      { concurrency: 32 },
    );
    expect(ended).toMatchObject({ outcome: 'completed', out: 1000, letters: [] });
    expect(ended.seconds).toBeLessThan(310);
  });

  it('that resets connections for a while costs no record, though calls from before are still answered', async () => {
    const ended = await ask(500, (record, _, nowMs) =>
      nowMs >= 1000 && nowMs < 31_000 ? { instead: 'reset', afterMs: 1 } : { afterMs: record % 10 === 0 ? 3000 : 100 },
    );
    expect(ended).toMatchObject({ outcome: 'completed', out: 500, letters: [] });
  });
});

describe('an upstream that answers 429', () => {
  const kinds: readonly LimitKind[] = ['bucket', 'small bucket', 'fixed window', 'sliding window'];
  const cases = kinds.flatMap((kind) =>
    [0.5, 3, 10, ...(isLong ? [100] : [])].flatMap((perSecond) =>
      [undefined, '1'].map((after) => [kind, perSecond, after] as const),
    ),
  );
  it.each(cases)(
    'gets at least 0.7 of the calls that it accepts: %s of %d/s, Retry-After %s',
    async (kind, rate, after) => {
      const size = Math.max(20, rate * 15);
      const ended = await ask(size, limited(kind, rate, after));
      expect(ended).toMatchObject({ outcome: 'completed', out: size, letters: [] });
      expect(size / ended.seconds / rate).toBeGreaterThanOrEqual(0.7);
    },
  );

  it('accepts all calls of a task with this rate limit', async () => {
    const ended = await ask(100, limited('sliding window', 10, '1'), { rateLimit: { perSecond: 10 } });
    expect([ended.out, ended.calls]).toEqual([100, 100]);
    expect(ended.seconds).toBeLessThan(10.5);
  });

  it('to everything stops the run at the deadline and is quoted', async () => {
    const ended = await ask(100, () => ({ status: 429, body: { error: 'too busy today' }, afterMs: 20 }));
    expect(ended).toMatchObject({ outcome: 'failed', letters: [], failure: { code: 'MILLRACE_UPSTREAM_DOWN' } });
    expect(ended.failure?.message).toContain('too busy today');
  });
});

describe('an upstream that refuses the caller', () => {
  it.each([401, 402, 403, 405, 415])(
    'with %i at each call stops the run within seconds, with its answer',
    async (status) => {
      for (const size of [1, 5, 5000]) {
        const ended = await ask(size, () => ({ status, body: { error: 'no such key' }, afterMs: 20 }));
        expect(ended).toMatchObject({
          outcome: 'failed',
          out: 0,
          letters: [],
          failure: { code: 'MILLRACE_HTTP_STATUS' },
        });
        expect(ended.failure?.message).toContain('no such key');
        expect(ended.failure?.message).toContain('Check the credentials');
        expect(ended.seconds).toBeLessThan(5);
      }
    },
  );

  it('because its quota is used up stops the run within seconds, with the answer', async () => {
    const body = { error: { code: 'insufficient_quota', message: 'You have run out of credits' } };
    const ended = await ask(200, () => ({ status: 429, body, afterMs: 50 }));
    expect(ended).toMatchObject({ outcome: 'failed', letters: [], failure: { code: 'MILLRACE_HTTP_STATUS' } });
    expect(ended.failure?.message).toContain('You have run out of credits');
    expect(ended.seconds).toBeLessThan(5);
  });

  it('because a token has expired stops the run, without dead letters', async () => {
    const ended = await ask(5000, (_, __, nowMs) => ({ status: nowMs < 500 ? 200 : 401, body: 1, afterMs: 20 }));
    expect(ended).toMatchObject({ outcome: 'failed', letters: [], failure: { code: 'MILLRACE_HTTP_STATUS' } });
  });

  it.each([401, 403])('for some records with %i makes dead letters of them at their first attempt', async (status) => {
    const ended = await ask(200, (record) => ({ status: record % 40 < 2 ? status : 200, body: 1, afterMs: 20 }));
    expect([ended.outcome, ended.out, ended.letters.length, ended.calls]).toEqual(['completed', 190, 10, 200]);
  });
});

describe('an upstream that nobody has reached since the start', () => {
  it.each([
    ['ECONNREFUSED', 'MILLRACE_UPSTREAM_DOWN', 'was not reached since the start of the run'],
    // A host that does not exist is a fault of the configuration.
    ['ENOTFOUND', 'MILLRACE_NETWORK', 'ENOTFOUND'],
  ])('stops the run within ten seconds: %s', async (code, failure, message) => {
    const client = axios.create({
      adapter: () => Promise.reject(Object.assign(new Error(`connect ${code}`), { code })),
    });
    for (const size of [1, 3, 500]) {
      const ended = await ask(size, undefined, { axios: client });
      expect(ended).toMatchObject({ outcome: 'failed', letters: [], failure: { code: failure } });
      expect(ended.failure?.message).toContain(message);
      expect(ended.seconds).toBeLessThan(15);
    }
  });

  it('is no fault while it starts beside the run', async () => {
    let asked = 0;
    const client = axios.create({
      adapter: (config) =>
        asked++ < 12
          ? Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))
          : Promise.resolve({ data: 1, status: 200, statusText: 'OK', headers: {}, config }),
    });
    expect(await ask(200, undefined, { axios: client })).toMatchObject({ outcome: 'completed', out: 200, letters: [] });
  });
});

describe('code of the user that throws while a failure is judged', () => {
  const thrower = (error: unknown): boolean => (error as { response: { status: number } }).response.status >= 500;

  it.each([
    ['throws', thrower, 'threw: Cannot read properties of undefined'],
    ['returns a promise', (async () => Promise.reject(new Error('late'))) as unknown as () => boolean, 'got a promise'],
  ])('ends the record that a `retryOn` was asked about if it %s', async (_, retryOn, message) => {
    const ended = await ask(5, (record) => ({ status: record === 2 ? 500 : 200, body: 1 }), { retry: { retryOn } });
    expect([ended.outcome, ended.out]).toEqual(['completed', 4]);
    expect(ended.letters).toMatchObject([
      { record: 2, code: 'MILLRACE_TASK', message: expect.stringContaining(message) },
    ]);
  });

  const unreadable = (field: string): Error =>
    Object.defineProperty(new Error('m'), field, {
      get: () => {
        throw new Error('no');
      },
    });
  const hidden = new Proxy(new Error('m'), {
    get: () => {
      throw new Error('no');
    },
    getPrototypeOf: () => {
      throw new Error('no');
    },
    has: () => {
      throw new Error('no');
    },
  });
  it.each([
    ['code', unreadable('code')],
    ['message', unreadable('message')],
    ['name', unreadable('name')],
    ['cause', unreadable('cause')],
    ['retryable', unreadable('retryable')],
    ['message, which is a number', Object.assign(new Error('m'), { message: 42 })],
    ['fields, all of them', hidden],
  ])('ends the record that failed with an error without a readable %s', async (_, error) => {
    const work = (record: number): Promise<number> => (record === 2 ? Promise.reject(error) : Promise.resolve(record));
    const ended = await ask(5, undefined, () => asyncTask(work, { retry: { attempts: 2, baseMs: 1 } }));
    expect([ended.outcome, ended.out, ended.letters.length]).toEqual(['completed', 4, 1]);
  });

  it('counts nothing as an answer that never left the process', async () => {
    const failure = new UpstreamError('MILLRACE_TASK', 'no body', { blame: 'record' });
    const work = (record: number): Promise<number> =>
      Promise.reject(
        record % 2 === 0
          ? failure
          : new UpstreamError('MILLRACE_NETWORK', 'gone', { blame: 'upstream', retryable: true }),
      );
    const ended = await ask(100, undefined, () =>
      asyncTask(work, { policies: callPolicies(retryPolicy({ attempts: 3 }), circuitBreaker()) }),
    );
    expect(ended).toMatchObject({ outcome: 'failed', failure: { code: 'MILLRACE_UPSTREAM_DOWN' } });
    expect(ended.letters.every(({ record }) => Number(record) % 2 === 0)).toBe(true);
  });
});
