/** Every HTTP route and every way a request can be wrong, against a real server. */
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { RequestSeen } from '#mock-server/index.js';
import { FEATURES, ask, predict, withServer } from './support/clients.js';

const PREDICTIONS = { ats_prediction: 400, resp_prediction: 0.5 };

describe('the HTTP side', () => {
  it('answers each route', () =>
    withServer({}, async (server) => {
      expect((await ask(server, '/')).json).toEqual({ msg: 'pong' });
      expect((await ask(server, '/?probe=1')).json).toEqual({ msg: 'pong' });
      const ats = await ask(server, '/ml/ats/predict', { body: FEATURES });
      expect([ats.status, ats.headers['content-type'], ats.json]).toEqual([
        200,
        'application/json',
        { prediction: 42.5 },
      ]);
      const resp = await ask(server, '/ml/resp/predict', { body: FEATURES });
      expect((resp.json as { prediction: number }).prediction).toBeCloseTo(0.1, 12);
      expect((await ask(server, '/offer/assign', { body: PREDICTIONS })).json).toEqual({ offer: 'OFFER_2' });
      expect(server.stats.routes).toEqual({
        '/': { requests: 2, records: 2 },
        '/ml/ats/predict': { requests: 1, records: 1 },
        '/ml/resp/predict': { requests: 1, records: 1 },
        '/offer/assign': { requests: 1, records: 1 },
      });
    }));

  it('writes predictions as floats, also those that are whole numbers', () =>
    withServer({}, async (server) => {
      const body = { ...FEATURES, PCT_BUY_TRANSACTIONS: 0, PCT_GIFT_TRANSACTIONS: 0 };
      expect((await ask(server, '/ml/ats/predict', { body })).text).toBe('{"prediction":0.0}');
      expect((await ask(server, '/ml/ats/predict', { body: FEATURES })).text).toBe('{"prediction":42.5}');
      const large = { ...FEATURES, AVG_POINTS_BOUGHT: 1e30 };
      expect((await ask(server, '/ml/ats/predict', { body: large })).text).toMatch(/^\{"prediction":1\.\d+e\+29\}$/);
    }));

  it('refuses a batch of more bodies than it could answer in a moment', () =>
    withServer({}, async (server) => {
      const reply = await ask(server, '/ml/ats/predict/batch', { raw: `[${'1,'.repeat(20_000)}1]` });
      expect(reply).toMatchObject({ status: 422, json: { error: { code: 'BATCH_TOO_LARGE' } } });
    }));

  it('answers a batch in order, item by item', () =>
    withServer({}, async (server) => {
      const body = [FEATURES, { ...FEATURES, PCT_BUY_TRANSACTIONS: 'x' }, { ...FEATURES, PCT_REDEEM_TRANSACTIONS: 1 }];
      expect((await ask(server, '/ml/ats/predict/batch', { body })).json).toEqual([
        { prediction: 42.5 },
        {
          error: {
            code: 'INVALID_BODY',
            path: 'PCT_BUY_TRANSACTIONS',
            message: 'Invalid input: expected number, received string',
          },
        },
        { prediction: 0 },
      ]);
      const resp = (await ask(server, '/ml/resp/predict/batch', { body: [FEATURES] })).json as { prediction: number }[];
      expect(resp[0]?.prediction).toBeCloseTo(0.1, 12);
      const offers = [PREDICTIONS, { ...PREDICTIONS, ats_prediction: 0 }];
      const assigned = await ask(server, '/offer/assign/batch', { body: offers });
      expect(assigned.json).toEqual([{ offer: 'OFFER_2' }, { offer: 'OFFER_1' }]);
      expect((await ask(server, '/offer/assign/batch', { body: [] })).json).toEqual([]);
      expect((await ask(server, '/offer/assign/batch', { body: PREDICTIONS })).status).toBe(422);
      expect(server.stats.routes['/ml/ats/predict/batch']).toEqual({ requests: 1, records: 3 });
    }));

  it('refuses a body that does not validate with 422 and its path', () =>
    withServer({}, async (server) => {
      const reply = await ask(server, '/ml/ats/predict', { body: { ...FEATURES, PCT_BUY_TRANSACTIONS: null } });
      expect([reply.status, reply.json]).toEqual([
        422,
        {
          error: {
            code: 'INVALID_BODY',
            path: 'PCT_BUY_TRANSACTIONS',
            message: 'Invalid input: expected number, received null',
          },
        },
      ]);
    }));

  it('refuses features whose prediction is no finite number instead of answering null', () =>
    withServer({}, async (server) => {
      const body = { ...FEATURES, AVG_POINTS_BOUGHT: 1e308, LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: 1e308 };
      const large = { ...body, PCT_BUY_TRANSACTIONS: 10 };
      const reply = await ask(server, '/ml/ats/predict', { body: large });
      expect([reply.status, (reply.json as { error: { code: string } }).error.code]).toEqual([422, 'NOT_FINITE']);
    }));

  it.each([
    ['malformed JSON', 400, 'BAD_REQUEST', { raw: '{"a":' }],
    ['no body', 400, 'BAD_REQUEST', { raw: '' }],
    ['another content type', 415, 'UNSUPPORTED_MEDIA_TYPE', { raw: 'a=1', headers: { 'content-type': 'text/plain' } }],
    ['a compressed body', 415, 'UNSUPPORTED_MEDIA_TYPE', { raw: 'x', headers: { 'content-encoding': 'gzip' } }],
    ['a body over the limit', 413, 'PAYLOAD_TOO_LARGE', { raw: ' '.repeat(2000) }],
    ['the wrong method', 405, 'METHOD_NOT_ALLOWED', { method: 'DELETE' }],
  ])('answers %s with %i', (_name, status, code, options) =>
    withServer({ bodyLimitBytes: 1000 }, async (server) => {
      const reply = await ask(server, '/ml/ats/predict', options);
      expect([reply.status, (reply.json as { error: { code: string } }).error.code]).toEqual([status, code]);
      if (status === 405) expect(reply.headers.allow).toBe('POST');
      expect(server.stats.replies).toEqual({ [status]: 1 });
    }),
  );

  it('answers an unknown path with 404 and JSON', () =>
    withServer({}, async (server) => {
      const reply = await ask(server, '/ml/ats', { body: FEATURES });
      expect([reply.status, reply.json]).toEqual([
        404,
        { error: { code: 'NOT_FOUND', path: '', message: 'There is nothing at /ml/ats.' } },
      ]);
    }));

  it('accepts a charset in the content type, and a body in pieces of unknown length', () =>
    withServer({}, async (server) => {
      const headers = { 'content-type': 'application/json; charset=utf-8' };
      expect((await predict(server, { headers })).status).toBe(200);
      const text = JSON.stringify(FEATURES);
      const status = await new Promise((resolve, reject) => {
        const json = { 'content-type': 'application/json' };
        const outgoing = request(`${server.url}/ml/ats/predict`, { method: 'POST', headers: json, agent: false });
        outgoing.on('response', (incoming) => {
          incoming.resume();
          resolve(incoming.statusCode);
        });
        outgoing.on('error', reject);
        outgoing.write(text.slice(0, 10), () => outgoing.end(text.slice(10)));
      });
      expect(status).toBe(200);
    }));

  it('notices a body of unknown length that grows over the limit, and keeps the connection usable', () =>
    withServer({ bodyLimitBytes: 1000 }, async (server) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
      const reply = await ask(server, '/ml/ats/predict', { raw: ' '.repeat(300_000), headers, agent });
      expect(reply.status).toBe(413);
      expect((await predict(server, { agent })).status).toBe(200);
      expect(server.stats.connections.opened).toBe(1);
      agent.destroy();
    }));

  it('shows every request to the observer, and answers 500 when the observer throws', () => {
    const seen: RequestSeen[] = [];
    const onRequest = (one: RequestSeen): void => {
      seen.push(one);
      if (one.headers['idempotency-key'] === 'bad') throw new Error('not this one');
    };
    return withServer({ onRequest }, async (server) => {
      await predict(server, { headers: { 'idempotency-key': 'k1' } });
      expect(seen[0]).toMatchObject({ transport: 'http', route: '/ml/ats/predict', body: FEATURES });
      expect(seen[0]?.headers['idempotency-key']).toBe('k1');
      expect((await predict(server, { headers: { 'idempotency-key': 'bad' } })).status).toBe(500);
    });
  });

  it('counts what is in flight at once and the most there was', () =>
    withServer({ latency: 30 }, async (server) => {
      await Promise.all([predict(server), predict(server), predict(server)]);
      expect([server.stats.peakInFlight, server.stats.inFlight]).toEqual([3, 0]);
    }));

  it('forgets a client that leaves before its body is whole', () =>
    withServer({}, async (server) => {
      await new Promise<void>((resolve) => {
        const socket = connect(server.port, '127.0.0.1', () => {
          socket.end(
            'POST /ml/ats/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{',
          );
        });
        socket.resume();
        socket.once('close', () => {
          resolve();
        });
      });
      expect((await predict(server)).status).toBe(200);
      expect(server.stats.inFlight).toBe(0);
    }));

  it('takes faults and gives statistics over its control routes, which are not counted', () =>
    withServer({}, async (server) => {
      const faults = { errorRates: { '503': 1 } };
      const put = await ask(server, '/control/faults', { method: 'PUT', body: faults });
      expect([put.status, put.json]).toEqual([200, [faults]]);
      expect((await predict(server)).status).toBe(503);
      expect((await ask(server, '/control/faults')).json).toEqual([faults]);
      const stats = (await ask(server, '/control/stats')).json;
      expect(stats).toMatchObject({ requests: 1, faults: { errorRates: 1 }, replies: { '503': 1 } });
      await ask(server, '/control/faults', { method: 'PUT', body: {} });
      expect((await predict(server)).status).toBe(200);
    }));

  it('refuses faults that make no sense with 422 and the path, and keeps the old ones', () =>
    withServer({ faults: { errorRates: { '503': 1 } } }, async (server) => {
      const body = [{}, { slowDrip: { p: 2 } }];
      const reply = await ask(server, '/control/faults', { method: 'PUT', body });
      expect([reply.status, (reply.json as { error: unknown }).error]).toEqual([
        422,
        { code: 'INVALID_FAULTS', path: '[1].slowDrip.p', message: 'Too big: expected number to be <=1' },
      ]);
      expect((await ask(server, '/control/faults', { method: 'PUT', raw: '{' })).status).toBe(400);
      expect((await ask(server, '/control/faults', { method: 'POST', body: {} })).status).toBe(405);
      expect((await predict(server)).status).toBe(503);
    }));
});
