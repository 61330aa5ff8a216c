/** Every row "bad upstream" of what we guarantee: nothing lost, nothing hangs, each record ends as promised. */
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { Faults } from '#mock-server/index.js';
import {
  ask,
  expected,
  lost,
  predictions,
  QUICK_RETRY,
  type AskOptions,
  type Transport,
} from '../connectors/request/support/ask.js';

const response = z.object({ prediction: z.number() });
const both: readonly Transport[] = ['http', 'ws'];

/** All records come out, with the right answers, whatever the server did. */
async function expectAllAnswered(options: AskOptions): Promise<Awaited<ReturnType<typeof ask>>> {
  const asked = await ask({ ...options, request: { response, ...options.request } });
  expect(asked.summary.outcome).toBe('completed');
  expect(asked.letters).toEqual([]);
  expect(predictions(asked)).toEqual(expected(options.records ?? 50));
  return asked;
}

describe.each(both)('over %s', (transport) => {
  it.each([[500], [502], [503]])('asks again after status %i, and every record comes out', async (status) => {
    const { summary } = await expectAllAnswered({
      transport,
      records: 200,
      server: { faults: { errorRates: { [status]: 0.2 } } },
      request: { retry: { ...QUICK_RETRY, attempts: 10 } },
    });
    expect(summary.tasks['Ask']?.retried).toBeGreaterThan(10);
  });

  it('gives a record up after its last attempt, with the number of attempts, and no other', async () => {
    // Enough of one kind to use up the attempts of some while others succeed.
    const asked = await ask({
      transport,
      records: 300,
      server: { faults: { errorRates: { 500: 0.4 } } },
      request: { response, retry: { ...QUICK_RETRY, attempts: 3 }, concurrency: 16 },
    });
    expect(asked.letters.length).toBeGreaterThan(0);
    for (const letter of asked.letters) {
      expect(letter).toMatchObject({
        attempts: 3,
        code: transport === 'http' ? 'MILLRACE_HTTP_STATUS' : 'MILLRACE_RPC',
      });
      expect(letter.lastAt).toBeGreaterThanOrEqual(letter.firstAt);
    }
    expect(predictions(asked)).toEqual(expected(300, lost(asked)));
  });

  it('does not ask again where the record is refused', async () => {
    const asked = await ask({
      transport,
      records: 20,
      request: { body: ({ id, ...features }) => (id === 7 ? { ...features, AVG_POINTS_BOUGHT: 'many' } : features) },
    });
    expect(lost(asked)).toEqual([7]);
    expect(asked.letters[0]?.attempts).toBe(1);
    expect(asked.seen).toHaveLength(20);
  });

  it.each([['seconds'], ['date']] as const)('waits as long as Retry-After says in %s', async (retryAfter) => {
    const asked = await expectAllAnswered({
      transport,
      records: 5,
      server: { faults: { tooManyRequests: { times: 2, retryAfterSeconds: 1, retryAfter } } },
    });
    // A date has whole seconds, so it may mean up to one second less.
    expect(asked.summary.elapsedMs).toBeGreaterThanOrEqual(retryAfter === 'seconds' ? 1000 : 1);
    expect(asked.counts).toMatchObject({ throttled: 2, retries: 0 });
    expect(asked.summary.tasks['Ask']?.retried).toBe(0);
  });

  it('gives nothing up under a real rate limit', async () => {
    const { counts } = await expectAllAnswered({
      transport,
      records: 40,
      // Its calls at once are too many, however slow they are.
      server: { faults: { rateLimit: { perSecond: 20, burst: 4 } } },
      request: { concurrency: 16 },
    });
    expect(counts['throttled']).toBeGreaterThan(0);
  });

  it.each([['request'], ['response']] as const)('asks again after a reset at the %s, with the same key', async (at) => {
    const asked = await expectAllAnswered({
      transport,
      records: 60,
      server: { faults: { reset: { times: 5, at } } },
      request: { concurrency: 8 },
    });
    expect(asked.stats.faults['reset']).toBe(5);
    expect(asked.summary.tasks['Ask']?.retried).toBeGreaterThanOrEqual(5);
    if (transport === 'ws') return;
    // Each answered request has a key of its own; a repeated one has the key it had.
    const keys = new Set(asked.seen.map(({ headers }) => headers['idempotency-key']));
    expect(keys.size).toBe(60);
  });

  it('times out an attempt whose answer was lost, and asks again', async () => {
    const asked = await expectAllAnswered({
      transport,
      records: 30,
      server: { faults: { dropReply: { times: 3 } } },
      request: { timeoutMs: 500 },
    });
    expect(asked.stats.faults['dropReply']).toBe(3);
    expect(asked.stats.requests).toBeGreaterThanOrEqual(33);
  });

  it('ends a slow drip at the deadline of the attempt', async () => {
    const asked = await expectAllAnswered({
      transport,
      records: 10,
      // The whole drip of an answer would take longer than a minute.
      server: { faults: { slowDrip: { times: 2, everyMs: 5000 } } },
      request: { timeoutMs: 500 },
    });
    expect(asked.counts['timeouts']).toBeGreaterThanOrEqual(1);
    expect(asked.summary.elapsedMs).toBeLessThan(40_000);
  });

  it('ends a record that drips on every attempt as a timeout', async () => {
    const asked = await ask({
      transport,
      records: 1,
      server: { faults: { slowDrip: { everyMs: 100 } } },
      request: { timeoutMs: 60, retry: { ...QUICK_RETRY, attempts: 2 } },
    });
    expect(asked.letters).toMatchObject([{ code: 'MILLRACE_TIMEOUT', attempts: 2 }]);
  });

  it('asks again after malformed JSON', async () => {
    await expectAllAnswered({
      transport,
      records: 60,
      server: { faults: { malformedJson: { times: 4 } } },
      request: transport === 'ws' ? { websocket: { maxBatch: 8 } } : {},
    });
  });

  it('gives up the record whose answer has the wrong shape, and names what is wrong', async () => {
    const asked = await ask({
      transport,
      records: 40,
      server: { faults: { wrongSchema: { times: 3 } } },
      request: { response },
    });
    expect(asked.letters).toHaveLength(3);
    for (const letter of asked.letters) {
      expect(letter).toMatchObject({ code: 'MILLRACE_INVALID_OUTPUT', attempts: 1 });
      expect(letter.message).toContain('prediction');
    }
    expect(predictions(asked)).toEqual(expected(40, lost(asked)));
  });

  it('gives up the record whose answer is too large, and only that one', async () => {
    const asked = await ask({
      transport,
      records: 30,
      // Over WebSocket one of four breaks the connection, so each is asked for again alone, and one is too large again.
      server: { faults: { hugeBody: { bytes: 100_000, times: transport === 'ws' ? 2 : 1 } } },
      request: {
        response,
        maxResponseBytes: 50_000,
        concurrency: 4,
        ...(transport === 'ws' ? { websocket: { sockets: 1 } } : {}),
      },
    });
    expect(asked.letters).toMatchObject([{ code: 'MILLRACE_RESPONSE_LIMIT', attempts: 1 }]);
    expect(predictions(asked)).toEqual(expected(30, lost(asked)));
  });

  it('gets over a connection that is accepted and never answered', async () => {
    await expectAllAnswered({
      transport,
      records: 20,
      server: { faults: { halfOpen: { times: 1, at: 'accept' } } },
      request: { timeoutMs: 300, ...(transport === 'ws' ? { websocket: { connectTimeoutMs: 100 } } : {}) },
    });
  });

  it('gets over a connection that falls silent', async () => {
    const asked = await expectAllAnswered({
      transport,
      records: 60,
      server: { faults: { halfOpen: { times: 1 } } },
      request:
        transport === 'ws'
          ? { websocket: { pingAfterMs: 40, pongWithinMs: 1000, maxBatch: 4 } }
          : { timeoutMs: 500, concurrency: 8 },
    });
    // The ping found it long before the deadline of the attempt.
    if (transport === 'ws') expect(asked.counts).toMatchObject({ timeouts: 0, lostConnections: 1 });
  });

  it('loses nothing when the server restarts in the middle', async () => {
    const asked = await expectAllAnswered({
      transport,
      records: 400,
      server: { latency: 2 },
      request: { concurrency: 16, retry: { ...QUICK_RETRY, attempts: 20, maxDelayMs: 100 } },
      meanwhile: async (server) => {
        while (server.stats.requests < 100) await new Promise((resolve) => setImmediate(resolve));
        await server.restart({ downMs: 150 });
      },
    });
    expect(asked.stats.restarts).toBe(1);
  });

  it('waits while the upstream is down and gives nothing up, though a record has only two attempts', async () => {
    const asked = await expectAllAnswered({
      transport,
      records: 200,
      server: { latency: 2 },
      request: {
        concurrency: 8,
        retry: { ...QUICK_RETRY, attempts: 2 },
        breaker: { failures: 5, pauseMs: 20, maxPauseMs: 50 },
        ...(transport === 'ws' ? { websocket: { reconnectMs: 5, maxReconnectMs: 10 } } : {}),
      },
      meanwhile: async (server) => {
        while (server.stats.requests < 60) await new Promise((resolve) => setImmediate(resolve));
        await server.restart({ downMs: 300 });
      },
    });
    const states = asked.events.flatMap((event) => (event.type === 'circuit' ? [event.state] : []));
    expect(states[0]).toBe('open');
    expect(states).toContain('half-open');
    expect(states.at(-1)).toBe('closed');
  });

  it('stops the run and names the upstream when it stays down past the deadline', async () => {
    const asked = await ask({
      transport,
      records: 5000,
      server: { faults: { errorRates: { 503: 1 } } },
      request: { breaker: { failures: 5, pauseMs: 10, maxPauseMs: 20, deadlineMs: 120 } },
    });
    expect(asked.failure).toMatchObject({ code: 'MILLRACE_UPSTREAM_DOWN' });
    expect(asked.failure?.message).toContain('127.0.0.1');
    expect(asked.letters).toEqual([]);
    expect(asked.outputs).toEqual([]);
  });

  it('stays within its time under heavy tails, errors and added latency together', async () => {
    const faults: Faults = {
      errorRates: { 500: 0.05, 503: 0.02 },
      tail: { p: 0.02, ms: 60 },
      addedLatency: { latency: 'lognormal:1:0.5' },
      reset: { p: 0.01 },
    };
    await expectAllAnswered({
      transport,
      records: 300,
      server: { faults },
      request: { retry: { ...QUICK_RETRY, attempts: 10 } },
    });
  });
});

describe('over http', () => {
  it('does not unpack a bomb: the record alone is given up', async () => {
    const before = process.memoryUsage().rss;
    const asked = await ask({
      records: 20,
      server: { faults: { gzipBomb: { times: 1, inflatedMiB: 300 } } },
      request: { response },
    });
    expect(asked.letters).toMatchObject([{ code: 'MILLRACE_RESPONSE_LIMIT', attempts: 1 }]);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  });

  it('takes a batch apart: a failed item costs its own record one attempt', async () => {
    const asked = await expectAllAnswered({
      records: 200,
      server: { faults: { itemError: { p: 0.1 } } },
      request: { batch: { max: 20, waitMs: 2 }, retry: { ...QUICK_RETRY, attempts: 8 } },
    });
    expect(asked.stats.requests).toBeLessThan(100);
    expect(asked.summary.tasks['Ask']?.retried).toBeGreaterThan(5);
  });
});

describe('over ws', () => {
  it('pairs replies that are duplicated, reordered and for ids never sent', async () => {
    const { counts } = await expectAllAnswered({
      transport: 'ws',
      records: 500,
      server: { faults: { duplicateReply: { p: 0.3 }, reorderReply: { p: 0.3 }, unknownIdReply: { p: 0.2 } } },
      request: { websocket: { maxBatch: 5 } },
    });
    expect(counts['duplicateReplies']).toBeGreaterThan(50);
    expect(counts['unknownReplies']).toBeGreaterThan(30);
  });

  it('counts a reply that comes after its attempt was given up on, and drops it', async () => {
    const asked = await expectAllAnswered({
      transport: 'ws',
      records: 600,
      // One at a time and 5 ms each, so that the connection stays busy and the run goes on until the late one is here.
      server: { latency: 5, faults: { tail: { ms: 1500, times: 1 } } },
      request: { timeoutMs: 1000, concurrency: 2, websocket: { maxBatch: 1, sockets: 1 } },
    });
    expect(asked.counts).toMatchObject({ timeouts: 1, lateReplies: 1, lostConnections: 0 });
  });
});
