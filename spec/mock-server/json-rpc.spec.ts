/** JSON-RPC 2.0 over WebSocket, error code by error code, as jsonrpc.org/specification has it. */
import { describe, expect, it } from '@jest/globals';
import { readCall, readMessage } from '#mock-server/json-rpc.js';
import { isLong } from '../support/long.js';
import { FEATURES, RpcClient, answer, ask, call, withServer } from './support/clients.js';

const INVALID = { jsonrpc: '2.0', error: { code: -32600, message: 'Invalid Request' }, id: null };

describe('JSON-RPC over WebSocket', () => {
  it('answers the three methods, on any path, and gives ids back as they came', () =>
    withServer({}, async (server) => {
      const client = await RpcClient.open(server, '/any/path');
      for (const id of [1, 0, -2.5, 'a"b', '', null]) expect(await client.ask(call(id))).toEqual(answer(id));
      const resp = (await client.ask(call(2, 'resp.predict'))) as { result: { prediction: number } };
      expect(resp.result.prediction).toBeCloseTo(0.1, 12);
      const offer = call(3, 'offer.assign', { ats_prediction: 400, resp_prediction: 0.5 });
      expect(await client.ask(offer)).toEqual({ jsonrpc: '2.0', result: { offer: 'OFFER_2' }, id: 3 });
      expect(server.stats.routes['ats.predict']).toEqual({ requests: 6, records: 6 });
    }));

  it('answers a batch with one array in order', () =>
    withServer({}, async (server) => {
      const client = await RpcClient.open(server);
      const replies = await client.ask([call(1), call('two'), 7, call(3, 'nope'), call(undefined)]);
      expect(replies).toEqual([
        answer(1),
        answer('two'),
        INVALID,
        { jsonrpc: '2.0', error: { code: -32601, message: 'Method not found: nope' }, id: 3 },
      ]);
    }));

  it('never answers a notification, whatever is wrong with it', () =>
    withServer({}, async (server) => {
      const client = await RpcClient.open(server);
      client.send(call(undefined));
      client.send(call(undefined, 'nope'));
      client.send(call(undefined, 'ats.predict', {}));
      client.send([call(undefined), call(undefined)]);
      await client.pong();
      expect(client.unread).toBe(0);
      expect(server.stats.routes['ats.predict']?.requests).toBe(4);
    }));

  it.each([
    ['text that is not JSON', '{"jsonrpc": "2.0", "method"', -32700, 'Parse error'],
    ['an empty message', '', -32700, 'Parse error'],
    ['an empty batch', '[]', -32600, 'Invalid Request: an empty batch'],
    ['a value that is no object', '1', -32600, 'Invalid Request'],
    ['no version', '{"id":1,"method":"ats.predict"}', -32600, 'Invalid Request'],
    ['a method that is no string', '{"jsonrpc":"2.0","id":1,"method":1}', -32600, 'Invalid Request'],
    [
      'params that are no structure',
      '{"jsonrpc":"2.0","id":1,"method":"ats.predict","params":"x"}',
      -32600,
      'Invalid Request',
    ],
    ['an id that is an object', '{"jsonrpc":"2.0","id":{},"method":"ats.predict"}', -32600, 'Invalid Request'],
    [
      'an id that cannot be sent back',
      '{"jsonrpc":"2.0","id":1e999,"method":"ats.predict"}',
      -32600,
      'Invalid Request',
    ],
  ])('answers %s with a null id and the code of the standard', (_name, text, code, message) =>
    withServer({}, async (server) => {
      const client = await RpcClient.open(server);
      expect(await client.ask(text)).toEqual({ jsonrpc: '2.0', error: { code, message }, id: null });
      expect(server.stats.replies).toEqual({ [code]: 1 });
    }),
  );

  it('answers each entry of a batch of nonsense', () =>
    withServer({}, async (server) => {
      const client = await RpcClient.open(server);
      expect(await client.ask([1, 2])).toEqual([INVALID, INVALID]);
    }));

  it('answers an unknown method with -32601, names of objects included', () =>
    withServer({}, async (server) => {
      const client = await RpcClient.open(server);
      for (const method of ['nope', 'toString', 'rpc.discover', '']) {
        expect(await client.ask(call(1, method))).toMatchObject({ error: { code: -32601 }, id: 1 });
      }
    }));

  it('answers wrong params with -32602 and the path', () =>
    withServer({}, async (server) => {
      const client = await RpcClient.open(server);
      const data = {
        code: 'INVALID_BODY',
        path: 'DAYS_SINCE_LAST_TRANSACTION',
        message: 'Invalid input: expected number, received string',
      };
      expect(await client.ask(call(1, 'ats.predict', { ...FEATURES, DAYS_SINCE_LAST_TRANSACTION: '1' }))).toEqual({
        jsonrpc: '2.0',
        error: { code: -32602, message: 'Invalid params', data },
        id: 1,
      });
      for (const params of [[1, 2], undefined]) {
        expect(await client.ask({ jsonrpc: '2.0', id: 2, method: 'offer.assign', params })).toMatchObject({
          error: { code: -32602, data: { path: '' } },
        });
      }
    }));

  it('answers -32603 when the server itself fails', () => {
    const onRequest = (): void => {
      throw new Error('observer');
    };
    return withServer({ onRequest }, async (server) => {
      const client = await RpcClient.open(server);
      expect(await client.ask(call(1))).toMatchObject({ error: { code: -32603 }, id: 1 });
    });
  });

  it('waits with a batch for its slowest call', () =>
    withServer({ faults: { route: 'resp.predict', tail: { ms: 300 } } }, async (server) => {
      const client = await RpcClient.open(server);
      const before = performance.now();
      client.send([call(1), call(2, 'resp.predict'), call(3)]);
      client.send(call(4));
      // The single call that came later is answered first.
      expect(await client.next()).toEqual(answer(4));
      expect(await client.next()).toHaveLength(3);
      expect(performance.now() - before).toBeGreaterThanOrEqual(299);
    }));

  it.each(['9007199254740993', '-9007199254740993', '123456789012345678901234567890', '1.0', '1e2', '1.50'])(
    'gives the id %s back with all its digits',
    (id) =>
      withServer({}, async (server) => {
        const client = await RpcClient.open(server);
        const text = `{"jsonrpc":"2.0","id" : ${id},"method":"offer.assign","params":{"ats_prediction":1.0,"resp_prediction":2}}`;
        const messages: string[] = [];
        client.socket.on('message', (data: Buffer) => messages.push(data.toString()));
        client.socket.send(text);
        client.socket.send(`[${text}]`);
        await client.pong();
        const reply = `{"jsonrpc":"2.0","result":{"offer":"OFFER_1"},"id":${id}}`;
        expect(messages).toEqual([reply, `[${reply}]`]);
      }),
  );

  it('outlives messages of 15 MB of any kind, and answers each briefly', () =>
    withServer({}, async (server) => {
      const client = await RpcClient.open(server);
      const size = 15_000_000;
      const texts = [
        `[${'1,'.repeat(size / 2 - 2)}1]`,
        `[${'{},'.repeat(size / 3 - 2)}{}]`,
        '['.repeat(size),
        `${'['.repeat(size / 2)}${']'.repeat(size / 2)}`,
        `{"jsonrpc":"2.0","id":1,"method":"${'x'.repeat(size)}"}`,
        `{"jsonrpc":"2.0","id":${'1'.repeat(1000)},"method":"x","params":["${'\\\\'.repeat(size / 2)}"]}`,
      ];
      // The short form leaves out the flat arrays and the one without an end.
      for (const text of texts.filter((_, index) => isLong || index > 2)) {
        const replied = new Promise<number>((resolve) => {
          client.socket.once('message', (data: Buffer) => {
            resolve(data.length);
          });
        });
        client.socket.send(text);
        expect(await replied).toBeLessThan(2000);
      }
      expect(await (await RpcClient.open(server)).ask(call(1))).toEqual(answer(1));
    }));

  it('closes a connection whose message is over the limit with 1009', () =>
    withServer({ maxPayloadBytes: 1000 }, async (server) => {
      const client = await RpcClient.open(server);
      client.send(' '.repeat(2000));
      expect(await client.closed).toBe(1009);
    }));

  it('uses no compression even where the client offers it', () =>
    withServer({}, async (server) => {
      const client = await RpcClient.open(server);
      expect(client.socket.extensions).toBe('');
    }));

  it('stops reading from a client that does not read, and goes on when it does', () =>
    withServer({ faults: { hugeBody: { bytes: 2_000_000 } } }, async (server) => {
      const client = await RpcClient.open(server);
      client.socket.pause();
      // Large enough that each call is more than what the server reads at once.
      const padded = { ...FEATURES, padding: 'x'.repeat(200_000) };
      const sent = 40;
      for (let id = 0; id < sent; id++) client.send(call(id, 'ats.predict', padded));
      // 80 MB of replies are more than the server and the two sockets hold: it must stand still on the way.
      let before = -1;
      for (let still = 0; still < 100; still = server.stats.messages === before ? still + 1 : 0) {
        before = server.stats.messages;
        await ask(server, '/control/stats');
      }
      expect(server.stats.messages).toBeGreaterThan(0);
      expect(server.stats.messages).toBeLessThan(sent);
      client.socket.resume();
      for (let id = 0; id < sent; id++) expect(await client.next()).toEqual(answer(id));
    }));
});

describe('the protocol without a socket', () => {
  it('distinguishes a batch from a single call and a call from a notification', () => {
    expect(readMessage('[1]')).toEqual({ isBatch: true, entries: [1] });
    expect(readMessage('1')).toEqual({ isBatch: false, entries: [1] });
    expect(readCall({ jsonrpc: '2.0', method: 'm' })?.id).toBeUndefined();
    expect(readCall({ jsonrpc: '2.0', method: 'm', id: null })?.id).toBeNull();
    expect(readCall([])).toBeUndefined();
  });
});
