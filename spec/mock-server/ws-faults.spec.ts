/** Every fault a WebSocket client can meet, one at a time, against a real server. */
import { WebSocket } from 'ws';
import { describe, expect, it } from '@jest/globals';
import type { Faults } from '#mock-server/index.js';
import type { MockServer } from '#mock-server/server.js';
import { RpcClient, answer, ask, call, withServer } from './support/clients.js';

function withClient(faults: Faults, use: (client: RpcClient, server: MockServer) => Promise<void>): Promise<void> {
  return withServer({ faults }, async (server) => use(await RpcClient.open(server), server));
}

const BATCH = [call(1), call(2), call(3)];

describe('WebSocket faults', () => {
  it('answer error rates with -32603 for 500 and -32000 else, the status in data', () =>
    withClient({ errorRates: { '500': { times: 1 }, '503': { times: 1 } } }, async (client) => {
      expect(await client.ask(BATCH)).toEqual([
        {
          jsonrpc: '2.0',
          error: { code: -32603, message: 'Injected fault: status 500.', data: { status: 500 } },
          id: 1,
        },
        {
          jsonrpc: '2.0',
          error: { code: -32000, message: 'Injected fault: status 503.', data: { status: 503 } },
          id: 2,
        },
        answer(3),
      ]);
    }));

  it('answer rate limits with Retry-After in data', () =>
    withClient({ rateLimit: { perSecond: 0.001, burst: 1 } }, async (client) => {
      const replies = (await client.ask([call(1), call(2)])) as unknown[];
      expect(replies[0]).toEqual(answer(1));
      expect(replies[1]).toMatchObject({ error: { code: -32000, data: { status: 429, retryAfter: '1000' } }, id: 2 });
    }));

  it('reset the connection', () =>
    withClient({ reset: { times: 1 } }, async (client, server) => {
      client.send(call(1));
      expect(await client.closed).toBe(1006);
      const next = await RpcClient.open(server);
      expect(await next.ask(call(1))).toEqual(answer(1));
      server.setFaults({ reset: { at: 'response' } });
      next.send(call(2));
      expect(await next.closed).toBe(1006);
    }));

  it('fall silent: half-open connections answer neither calls nor pings, others do', () =>
    withClient({ halfOpen: { times: 1 } }, async (client, server) => {
      let hasPong = false;
      client.socket.once('pong', () => (hasPong = true));
      client.send(call(1));
      client.send(call(2));
      client.socket.ping();
      const other = await RpcClient.open(server);
      // Control routes show that the message has been met, another connection that the server is well.
      while (server.stats.faults['halfOpen'] === undefined) await ask(server, '/control/stats');
      expect(await other.ask(call(3))).toEqual(answer(3));
      await other.pong();
      expect([client.unread, hasPong, client.socket.readyState]).toEqual([0, false, WebSocket.OPEN]);
      expect(server.stats.connections.webSocketsOpen).toBe(2);
    }));

  it('leave a handshake without an answer', () =>
    withServer({ faults: { halfOpen: { at: 'accept', times: 1 } } }, async (server) => {
      const socket = new WebSocket(server.wsUrl, { handshakeTimeout: 50 });
      const failure = await new Promise<Error>((resolve) => socket.once('error', resolve));
      expect(failure.message).toBe('Opening handshake has timed out');
      const client = await RpcClient.open(server);
      expect(await client.ask(call(1))).toEqual(answer(1));
    }));

  it('lose a reply, in a batch and alone', () =>
    withClient({ dropReply: { times: 2 } }, async (client) => {
      expect(await client.ask(BATCH)).toEqual([answer(3)]);
      expect(await client.ask(call(4))).toEqual(answer(4));
    }));

  it('send nothing for a batch whose replies are all lost', () =>
    withClient({ dropReply: {} }, async (client) => {
      client.send(BATCH);
      await client.pong();
      expect(client.unread).toBe(0);
    }));

  it('send a reply twice', () =>
    withClient({ duplicateReply: { times: 2 } }, async (client) => {
      expect(await client.ask(BATCH)).toEqual([answer(1), answer(1), answer(2), answer(2), answer(3)]);
    }));

  it('send a single reply as two messages', () =>
    withClient({ duplicateReply: {} }, async (client) => {
      client.send(call(1));
      expect([await client.next(), await client.next()]).toEqual([answer(1), answer(1)]);
    }));

  it('answer an id that was never sent, besides the real one', () =>
    withClient({ unknownIdReply: {} }, async (client) => {
      client.send(call(1));
      expect([await client.next(), await client.next()]).toEqual([answer('never-sent-1'), answer(1)]);
    }));

  it('reverse the replies of a batch', () =>
    withClient({ reorderReply: {} }, async (client) => {
      expect(await client.ask(BATCH)).toEqual([answer(3), answer(2), answer(1)]);
    }));

  it('let a later reply overtake a single one', () =>
    withClient({ reorderReply: { times: 1, holdMs: 60_000 } }, async (client) => {
      client.send(call(1));
      client.send(call(2));
      client.send(call(3));
      expect([await client.next(), await client.next(), await client.next()]).toEqual([
        answer(2),
        answer(1),
        answer(3),
      ]);
    }));

  it('let go of a held reply when no other comes', () =>
    withClient({ reorderReply: { holdMs: 5 } }, async (client) => {
      expect(await client.ask(call(1))).toEqual(answer(1));
    }));

  it('send a message that does not parse', () =>
    withClient({ malformedJson: {} }, async (client) => {
      for (const message of [call(1), BATCH]) {
        client.send(message);
        const text = await client.text();
        expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
      }
    }));

  it('send a result of the wrong shape, to the right id', () =>
    withClient({ wrongSchema: {} }, async (client) => {
      expect(await client.ask(call(1))).toEqual({
        jsonrpc: '2.0',
        result: { unexpected: '{"prediction":42.5}' },
        id: 1,
      });
    }));

  it('send a huge message of exactly the size asked for', () =>
    withClient({ hugeBody: { bytes: 3_000_000 } }, async (client) => {
      client.send(call(1));
      const text = await client.text();
      expect([text.length, JSON.parse(text)]).toEqual([3_000_000, answer(1)]);
    }));

  it('drip a message in fragments of one byte, with no other message between them', () =>
    withClient({ slowDrip: { everyMs: 1, times: 1 } }, async (client, server) => {
      client.send(call(1));
      client.send(call(2));
      expect([await client.next(), await client.next()]).toEqual([answer(1), answer(2)]);
      expect(server.stats.faults).toEqual({ slowDrip: 1 });
    }));

  it('count every call of a batch in a concurrency limit', () =>
    withClient({ concurrencyLimit: { limit: 2, reject: true, serviceMs: 1 } }, async (client, server) => {
      const replies = (await client.ask(BATCH)) as unknown[];
      expect(replies.slice(0, 2)).toEqual([answer(1), answer(2)]);
      expect(replies[2]).toMatchObject({ error: { code: -32000, data: { status: 503 } }, id: 3 });
      expect(server.stats.inFlight).toBe(0);
      expect(await client.ask(call(4))).toEqual(answer(4));
    }));

  it('can be limited to a method', () =>
    withClient({ route: ['offer.assign', 'resp.predict'], errorRates: { '500': 1 } }, async (client) => {
      expect(await client.ask(call(1))).toEqual(answer(1));
      expect(await client.ask(call(2, 'resp.predict'))).toMatchObject({ error: { code: -32603 } });
    }));

  it('leave out what only HTTP knows', () =>
    withClient({ redirect: { location: '/' }, gzipBomb: {}, itemError: {} }, async (client, server) => {
      expect(await client.ask(BATCH)).toEqual([answer(1), answer(2), answer(3)]);
      expect(server.stats.faults).toEqual({});
    }));
});
