/** Every fault an HTTP client can meet, one at a time, against a real server. */
import { Agent } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { FaultsError, resolveFaults, resolveScenario } from '#mock-server/fault-options.js';
import { startMockServer } from '#mock-server/server.js';
import type { MockServer } from '#mock-server/server.js';
import { FEATURES, RpcClient, ask, codeOf, predict, withServer } from './support/clients.js';

const OK = { prediction: 42.5 };

/** The statuses of `count` requests, one after the other over one connection. */
async function statuses(server: MockServer, count: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const all: number[] = [];
  for (let index = 0; index < count; index++) all.push((await predict(server, { agent })).status);
  agent.destroy();
  return all;
}

describe('HTTP faults', () => {
  it('draw error statuses at their rates, the same ones for the same seed', async () => {
    const faults = { errorRates: { '500': 0.2, '503': 0.1 } };
    const run = (seed: number): Promise<number[]> => withServer({ faults, seed }, (server) => statuses(server, 300));
    const [one, again, other] = [await run(5), await run(5), await run(6)];
    expect(one).toEqual(again);
    expect(one).not.toEqual(other);
    const share = (status: number): number => one.filter((value) => value === status).length / one.length;
    expect(Math.abs(share(500) - 0.2)).toBeLessThan(0.07);
    expect(Math.abs(share(503) - 0.08)).toBeLessThan(0.05);
  });

  it('fire no more than `times`, and start anew when set again', () =>
    withServer({ faults: { errorRates: { '503': { times: 2 } } } }, async (server) => {
      expect(await statuses(server, 4)).toEqual([503, 503, 200, 200]);
      server.setFaults({ errorRates: { '503': { times: 1 } } });
      expect(await statuses(server, 2)).toEqual([503, 200]);
      expect(server.stats.faults).toEqual({ errorRates: 3 });
    }));

  it('do not move each other: adding one kind leaves the draws of another as they were', async () => {
    const errorRates = { '500': 0.3 };
    const alone = await withServer({ faults: { errorRates } }, (server) => statuses(server, 100));
    const tail = { p: 0.5, ms: 1 };
    const both = await withServer({ faults: { errorRates, tail } }, (server) => statuses(server, 100));
    expect(both).toEqual(alone);
  });

  it('draw independently in two sets', () => {
    const errorRates = { '500': 0.5 };
    const faults = [
      { route: '/ml/ats/predict', errorRates },
      { route: '/ml/resp/predict', errorRates },
    ];
    return withServer({ faults }, async (server) => {
      const ats = await statuses(server, 50);
      const resp: number[] = [];
      while (resp.length < 50) resp.push((await ask(server, '/ml/resp/predict', { body: FEATURES })).status);
      expect(ats).not.toEqual(resp);
    });
  });

  it('can be limited to a route', () =>
    withServer({ faults: [{ route: '/offer/assign', errorRates: { '500': 1 } }, {}] }, async (server) => {
      expect((await predict(server)).status).toBe(200);
      const body = { ats_prediction: 1, resp_prediction: 1 };
      expect((await ask(server, '/offer/assign', { body })).status).toBe(500);
    }));

  it('answer 429 with Retry-After in seconds or as a date', () =>
    withServer({ faults: { tooManyRequests: { retryAfterSeconds: 1.5 } } }, async (server) => {
      const reply = await predict(server);
      expect([reply.status, reply.headers['retry-after']]).toEqual([429, '2']);
      const asked = Date.now();
      server.setFaults({ tooManyRequests: { retryAfterSeconds: 10, retryAfter: 'date' } });
      const date = (await predict(server)).headers['retry-after'] ?? '';
      expect(date).toMatch(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
      // Rounded up: never before the ten seconds are over.
      expect(Date.parse(date) - asked).toBeGreaterThanOrEqual(10_000);
      expect(Date.parse(date) - asked).toBeLessThan(16_000);
      server.setFaults({ tooManyRequests: { retryAfter: 'none' } });
      expect((await predict(server)).headers['retry-after']).toBeUndefined();
    }));

  it('hold a real rate limit with a burst', () =>
    // One token in 1,000 s: no machine is slow enough to get a second one.
    withServer({ faults: { rateLimit: { perSecond: 0.001, burst: 3 } } }, async (server) => {
      expect(await statuses(server, 5)).toEqual([200, 200, 200, 429, 429]);
      const wait = Number((await predict(server)).headers['retry-after']);
      expect(wait).toBeGreaterThan(900);
      expect(wait).toBeLessThanOrEqual(1000);
      expect(server.stats.faults).toEqual({ rateLimit: 3 });
    }));

  it('add latency and a tail', () =>
    withServer({ faults: { addedLatency: { latency: 'normal:20:0' }, tail: { ms: 30, times: 1 } } }, async (server) => {
      let before = performance.now();
      expect((await predict(server)).json).toEqual(OK);
      expect(performance.now() - before).toBeGreaterThanOrEqual(49);
      before = performance.now();
      await predict(server);
      expect(performance.now() - before).toBeGreaterThanOrEqual(19);
      expect(server.stats.faults).toEqual({ addedLatency: 2, tail: 1 });
    }));

  it('reset the socket before the answer', () =>
    withServer({ faults: { reset: { times: 1 } } }, async (server) => {
      expect(await codeOf(predict(server))).toBe('ECONNRESET');
      expect((await predict(server)).json).toEqual(OK);
    }));

  it('reset the socket in the middle of the answer', () =>
    withServer({ faults: { reset: { at: 'response' } } }, async (server) => {
      expect(await codeOf(predict(server))).toBe('ECONNRESET');
      expect(server.stats.faults).toEqual({ reset: 1 });
    }));

  it('leave a request without an answer on an open connection', () =>
    withServer({ faults: { halfOpen: { times: 1 } } }, async (server) => {
      const leave = new AbortController();
      const silent = codeOf(predict(server, { signal: leave.signal }));
      // A second request, answered, proves that the first was passed over and not merely slow.
      while (server.stats.requests === 0) await ask(server, '/control/stats');
      expect((await predict(server)).json).toEqual(OK);
      expect(server.stats.connections.open).toBeGreaterThanOrEqual(1);
      leave.abort();
      expect(await silent).toBe('ABORT_ERR');
    }));

  it('accept connections that are never answered, control routes apart', () =>
    withServer({ faults: { halfOpen: { at: 'accept', times: 1 } } }, async (server) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      expect((await ask(server, '/control/stats', { agent })).status).toBe(200);
      const leave = new AbortController();
      const silent = codeOf(predict(server, { agent, signal: leave.signal }));
      expect((await predict(server)).json).toEqual(OK);
      leave.abort();
      expect(await silent).toBe('ABORT_ERR');
      expect(server.stats.requests).toBe(1);
      agent.destroy();
    }));

  it('lose the reply after the work', () =>
    withServer({ faults: { dropReply: { times: 1 } } }, async (server) => {
      expect(await codeOf(predict(server))).toBe('ECONNRESET');
      expect(server.stats.routes['/ml/ats/predict']).toEqual({ requests: 1, records: 1 });
      expect((await predict(server)).json).toEqual(OK);
    }));

  it('drip the body byte by byte', () =>
    withServer({ faults: { slowDrip: { everyMs: 3 } } }, async (server) => {
      const before = performance.now();
      const reply = await predict(server);
      expect(reply.json).toEqual(OK);
      // 19 bytes, 18 pauses; Node's timers may fire a millisecond early.
      expect(performance.now() - before).toBeGreaterThanOrEqual(18 * 2);
    }));

  it('stop dripping when the client leaves', () =>
    withServer({ faults: { slowDrip: { everyMs: 5 } } }, async (server) => {
      const leave = new AbortController();
      const dripping = codeOf(predict(server, { signal: leave.signal }));
      while (server.stats.faults['slowDrip'] === undefined) await ask(server, '/control/stats');
      leave.abort();
      await dripping;
      expect((await ask(server, '/control/stats')).status).toBe(200);
    }));

  it('send JSON that does not parse', () =>
    withServer({ faults: { malformedJson: {} } }, async (server) => {
      const reply = await predict(server);
      expect(reply.status).toBe(200);
      expect(() => reply.json).toThrow(SyntaxError);
    }));

  it('send JSON of the wrong shape', () =>
    withServer({ faults: { wrongSchema: {} } }, async (server) => {
      expect((await predict(server)).json).toEqual({ unexpected: '{"prediction":42.5}' });
    }));

  it('send a huge body of exactly the size asked for, with the answer in it', () =>
    withServer({ faults: { hugeBody: { bytes: 5_000_001 } } }, async (server) => {
      const reply = await predict(server);
      expect([reply.bytes.length, reply.headers['content-length'], reply.json]).toEqual([5_000_001, '5000001', OK]);
    }));

  it('send a small gzip body that inflates to many MiB', () =>
    withServer({ faults: { gzipBomb: { inflatedMiB: 32 } } }, async (server) => {
      const reply = await predict(server);
      expect(reply.headers['content-encoding']).toBe('gzip');
      expect(reply.bytes.length).toBeLessThan(64 * 1024);
      const inflated = gunzipSync(reply.bytes);
      expect(inflated.length).toBe(32 * 1_048_576 + 19);
      expect(inflated.subarray(-19).toString()).toBe('{"prediction":42.5}');
    }));

  it('redirect to where they are sent', () =>
    withServer({ faults: { redirect: { location: 'http://127.0.0.1:9/elsewhere', times: 1 } } }, async (server) => {
      const reply = await predict(server);
      expect([reply.status, reply.headers.location]).toEqual([302, 'http://127.0.0.1:9/elsewhere']);
      server.setFaults({ redirect: { location: '/', status: 307 } });
      expect((await predict(server)).status).toBe(307);
    }));

  it('fail single items of a batch', () =>
    withServer({ faults: { itemError: { times: 1 } } }, async (server) => {
      const reply = await ask(server, '/ml/ats/predict/batch', { body: [FEATURES, FEATURES] });
      expect(reply.json).toEqual([
        { error: { code: 'SERVICE_UNAVAILABLE', path: '', message: 'Injected fault: this item failed.' } },
        OK,
      ]);
    }));

  it('hide a concurrency limit: above it requests are turned away with `reject`', () =>
    withServer({ faults: { concurrencyLimit: { limit: 2, reject: true, serviceMs: 800 } } }, async (server) => {
      const replies = await Promise.all(Array.from({ length: 5 }, () => predict(server)));
      const sorted = replies.map((reply) => reply.status).sort();
      expect(sorted).toEqual([200, 200, 503, 503, 503]);
      expect((await predict(server)).status).toBe(200);
      expect(server.stats.faults).toEqual({ concurrencyLimit: 3 });
    }));

  it('hide a concurrency limit: above it latency grows in proportion', () =>
    withServer({ faults: { concurrencyLimit: { limit: 1, serviceMs: 200 } } }, async (server) => {
      const before = performance.now();
      await Promise.all([predict(server), predict(server), predict(server)]);
      // The last to arrive met two others: three times the service time.
      expect(performance.now() - before).toBeGreaterThanOrEqual(599);
      expect(server.stats.faults).toEqual({ concurrencyLimit: 2 });
    }));
});

describe('fault options', () => {
  it.each([
    [{ errorRate: {} }, 'Unrecognized key: "errorRate"'],
    [{ errorRates: { '200': 1 } }, 'errorRates.200: Expected an HTTP status from 400 to 599'],
    [{ errorRates: { '500': 1.5 } }, 'errorRates.500: Too big: expected number to be <=1'],
    [[{}, { tail: { p: -1, ms: 1 } }], '[1].tail.p: Too small: expected number to be >=0'],
    [{ tail: {} }, 'tail.ms: Invalid input: expected number, received undefined'],
    [{ addedLatency: { latency: 'often' } }, 'addedLatency.latency: Expected a latency such as'],
    [{ route: '/nope', reset: {} }, 'route: Expected one of /, /ml/ats/predict, '],
    [{ slowDrip: { everyMs: 2 ** 31 } }, 'slowDrip.everyMs: Too big'],
    [null, 'Invalid input: expected object, received null'],
  ])('refuse %j and say where', (faults, message) => {
    expect(() => resolveFaults(faults)).toThrow(FaultsError);
    expect(() => resolveFaults(faults)).toThrow(message);
  });

  it('refuse a scenario step without a moment, or with two', () => {
    expect(() => resolveScenario([{ faults: {} }])).toThrow('[0]: Expected either atMs or afterRequests');
    expect(() => resolveScenario([{ atMs: 1, afterRequests: 1, faults: {} }])).toThrow('Expected either');
    expect(() => resolveScenario([{ atMs: 1, faults: [{ reset: { q: 1 } }] }])).toThrow('[0].faults[0].reset');
  });

  it('are checked before anything listens', async () => {
    await expect(startMockServer({ faults: { errorRates: { '1': 1 } } })).rejects.toThrow(FaultsError);
    await expect(startMockServer({ latency: 'x' })).rejects.toThrow(RangeError);
  });

  it('limited to `upgrade` refuse, reset or ignore the handshake and nothing else', () =>
    withServer({ faults: { route: 'upgrade', errorRates: { '503': { times: 1 } } } }, async (server) => {
      await expect(RpcClient.open(server)).rejects.toThrow('503');
      await RpcClient.open(server);
      server.setFaults({ route: 'upgrade', reset: {} });
      expect(await codeOf(RpcClient.open(server))).toBe('ECONNRESET');
      expect((await predict(server)).status).toBe(200);
      server.setFaults({ errorRates: { '503': 1 } });
      await RpcClient.open(server);
    }));
});
