/** What JSON-RPC servers send beside and instead of plain replies. */
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';
import { callUpstream } from '../request/support/call-upstream.js';

interface Call {
  readonly id: number;
  readonly params: readonly [number];
  readonly idempotencyKey?: string;
}

const servers: WebSocketServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    for (const socket of server.clients) socket.terminate();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  }
});

interface Served {
  readonly url: string;
  /** How often each record was called. */
  readonly called: Map<number, number>;
  connections: number;
}

async function serve(
  answer: (calls: readonly Call[], socket: WebSocket) => void,
  onOpen: (socket: WebSocket) => void = () => undefined,
  options: ServerOptions = {},
): Promise<Served> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
  servers.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  const served: Served = {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    called: new Map(),
    connections: 0,
  };
  server.on('connection', (socket) => {
    served.connections++;
    socket.on('error', () => undefined);
    onOpen(socket);
    socket.on('message', (data: Buffer) => {
      const calls = [JSON.parse(data.toString()) as Call | Call[]].flat();
      for (const { params } of calls) served.called.set(params[0], (served.called.get(params[0]) ?? 0) + 1);
      answer(calls, socket);
    });
  });
  return served;
}

const RECORDS = [0, 1, 2, 3, 4, 5, 6, 7];
const reply = ({ id, params }: Call): string => `{"jsonrpc":"2.0","id":${id},"result":${params[0]}}`;
const all = (calls: readonly Call[]): string => `[${calls.map(reply).join(',')}]`;
const call = (url: string, more = {}, records: readonly unknown[] = RECORDS) =>
  callUpstream({ url, method: 'score', ...more }, records);

describe('a JSON-RPC server', () => {
  it.each([
    ['notifications', '{"jsonrpc":"2.0","method":"tick","params":{"t":1}}'],
    ['requests with ids of its own', '{"jsonrpc":"2.0","id":"srv-1","method":"ping"}'],
    ['requests with the ids of calls', '{"jsonrpc":"2.0","id":1,"method":"ping"}'],
    ['notifications of JSON-RPC 1.0', '{"id":null,"method":"tick","params":[]}'],
    ['notifications in a batch', '[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"b"}]'],
    ['an empty batch', '[]'],
    ['empty messages', ''],
    ['blank messages', ' \n'],
    ['objects that are no JSON-RPC', '{"type":"heartbeat"}'],
  ])('may push %s before, between and after its replies, and no call is repeated', async (_, pushed) => {
    const served = await serve(
      (calls, socket) => {
        socket.send(pushed);
        for (const each of calls) socket.send(reply(each));
        socket.send(pushed);
      },
      (socket) => {
        socket.send(pushed);
      },
    );
    const came = await call(served.url, { websocket: { sockets: 1 } });
    expect(came.outputs).toEqual(RECORDS);
    expect([...served.called.values()]).toEqual(RECORDS.map(() => 1));
    expect(served.connections).toBe(1);
    expect(came.counts).toMatchObject({ unreadable: 0, lostConnections: 0 });
    if (pushed !== '[]') expect(came.counts['notifications']).toBeGreaterThan(1);
  });

  it('may mix notifications and replies in one batch', async () => {
    const served = await serve((calls, socket) => {
      socket.send(`[{"jsonrpc":"2.0","method":"tick"},${calls.map(reply).join(',')}]`);
    });
    expect((await call(served.url)).outputs).toEqual(RECORDS);
  });

  it('that sends ids back as text is understood, and the run says so once', async () => {
    const served = await serve((calls, socket) => {
      for (const { id, params } of calls) socket.send(`{"jsonrpc":"2.0","id":"${id}","result":${params[0]}}`);
    });
    const { outputs, notices } = await call(served.url);
    expect(outputs).toEqual(RECORDS);
    expect(notices.filter((notice) => notice.includes('ids of calls as text'))).toHaveLength(1);
  });

  it('that replies with neither a result nor an error has not answered', async () => {
    const served = await serve((calls, socket) => {
      socket.send(
        `[${calls.map((one) => (one.params[0] === 3 ? `{"jsonrpc":"2.0","id":${one.id}}` : reply(one))).join()}]`,
      );
    });
    const { outputs, letters } = await call(served.url);
    expect(outputs).toEqual(RECORDS.filter((id) => id !== 3));
    expect(letters).toMatchObject([
      {
        record: 3,
        code: 'MILLRACE_BAD_RESPONSE',
        message: expect.stringContaining('neither a `result` nor an `error`'),
      },
    ]);
  });

  it.each([
    ['null', null],
    ['false', false],
    ['0', 0],
    ['an empty text', ''],
  ])('may answer with %s', async (_, result) => {
    const served = await serve(([one], socket) => {
      socket.send(JSON.stringify({ jsonrpc: '2.0', id: one?.id, result }));
    });
    expect((await call(served.url, {}, [1])).outputs).toEqual([result]);
  });

  it('that answers one call with an error without an id costs that call alone', async () => {
    const served = await serve((calls, socket) => {
      const bad = '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request"}}';
      socket.send(`[${calls.map((one) => (one.params[0] === 5 ? bad : reply(one))).join()}]`);
    });
    const { outputs, letters } = await call(served.url);
    expect(outputs).toEqual(RECORDS.filter((id) => id !== 5));
    expect(letters).toMatchObject([{ record: 5, code: 'MILLRACE_BAD_RESPONSE' }]);
    expect(letters[0]?.message).toContain("the member 'idempotencyKey'");
    for (const id of RECORDS.filter((one) => one !== 5)) expect(served.called.get(id)).toBe(1);
  });

  it('may send an error without an id while it has nothing to answer', async () => {
    const served = await serve((calls, socket) => {
      socket.send(all(calls));
      socket.send('{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"going down"}}');
    });
    const { outputs, counts } = await call(served.url);
    expect(outputs).toEqual(RECORDS);
    expect(counts['lostConnections']).toBe(0);
  });

  it('that refuses members beside `params` is served without a key, and its calls may be repeated', async () => {
    let lost = false;
    const served = await serve((calls, socket) => {
      if (!lost) {
        lost = true;
        socket.terminate();
        return;
      }
      const strict = (one: Call): string =>
        one.idempotencyKey === undefined
          ? reply(one)
          : `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}`;
      socket.send(`[${calls.map(strict).join()}]`);
    });
    const { outputs, letters } = await call(served.url, {
      idempotencyKey: false,
      repeatable: true,
      websocket: { reconnectMs: 1 },
    });
    expect(letters).toEqual([]);
    expect(outputs).toEqual(RECORDS);
  });

  it('loses no digit of a 64-bit integer without a word, and one such answer costs no other', async () => {
    const large = '9007199254740993';
    const served = await serve((calls, socket) => {
      const one = ({ id, params }: Call): string =>
        `{"jsonrpc":"2.0","id":${id},"result":{"id":${params[0] === 2 ? large : params[0]},"s":"${large}","f":0.1234567890123456}}`;
      socket.send(`[${calls.map(one).join()}]`);
    });
    const row = (id: unknown): object => ({ id, s: large, f: 0.1234567890123456 });
    const refused = await call(served.url);
    expect(refused.outputs).toEqual(RECORDS.filter((id) => id !== 2).map(row));
    expect(refused.letters).toMatchObject([{ record: 2, message: expect.stringContaining(large) }]);
    const asText = await call(served.url, { largeIntegers: 'text' });
    expect(asText.outputs).toEqual(RECORDS.map((id) => row(id === 2 ? large : id)));
    const rounded = await call(served.url, { largeIntegers: 'round' });
    expect(rounded.outputs[2]).toEqual(row(9007199254740992));
  });

  it('chooses one of the subprotocols that are offered', async () => {
    const offered: string[][] = [];
    const served = await serve(
      (calls, socket) => {
        socket.send(all(calls));
      },
      undefined,
      {
        handleProtocols: (protocols) => {
          offered.push([...protocols]);
          return 'jsonrpc-2.0';
        },
      },
    );
    const came = await call(served.url, { websocket: { sockets: 1, protocols: ['v2', 'jsonrpc-2.0'] } });
    expect(came.outputs).toEqual(RECORDS);
    expect(offered).toEqual([['v2', 'jsonrpc-2.0']]);
  });

  it('is sent no parameters that JSON would empty', async () => {
    const served = await serve((calls, socket) => {
      socket.send(all(calls));
    });
    const form = new FormData();
    form.set('a', '1');
    for (const [body, words] of [
      [form, 'FormData'],
      [Promise.resolve(1), 'a promise'],
      [new Map([[1, 2]]), 'a Map'],
    ] as const) {
      const { letters } = await call(served.url, { body: () => body }, [1]);
      expect(letters).toMatchObject([{ attempts: 1, message: expect.stringContaining(words) }]);
    }
    expect(served.called.size).toBe(0);
  });
});

describe('a server that closes the connection', () => {
  const closing = (code: number, reason: string, isOnOpen: boolean) =>
    serve(
      (_, socket) => {
        socket.close(code, reason);
      },
      (socket) => {
        if (isOnOpen) socket.close(code, reason);
      },
    );

  it.each([
    [4401, 'token expired', true],
    [4401, 'token expired', false],
    [4403, 'forbidden', false],
    [3000, 'unauthorized', true],
    [1008, 'policy', true],
    [1008, 'policy', false],
  ])(
    'with %i (%s) each time ends the run at once and makes no dead letters (on open: %s)',
    async (code, reason, isOnOpen) => {
      const served = await closing(code, reason, isOnOpen);
      const { failure, letters } = await call(served.url, { websocket: { reconnectMs: 1 } });
      expect(failure).toMatchObject({ code: 'MILLRACE_NETWORK' });
      expect(failure?.message).toContain(`code ${code} and the reason "${reason}"`);
      expect(failure?.message).toContain('Check the `headers`');
      expect(letters).toEqual([]);
    },
  );

  it.each([
    [1011, 'internal'],
    [1012, 'restart'],
    [1013, 'try again later'],
    [4000, 'moved'],
  ])('once with %i (%s) is called again', async (code, reason) => {
    let isFirst = true;
    const served = await serve((calls, socket) => {
      if (isFirst) socket.close(code, reason);
      else socket.send(all(calls));
      isFirst = false;
    });
    const { outputs, counts } = await call(served.url, { websocket: { sockets: 1, reconnectMs: 1 } });
    expect(outputs).toEqual(RECORDS);
    expect(counts['lostConnections']).toBe(1);
  });

  it.each([1002, 1003, 1007, 1008, 1009])('with %i because of one call costs that call alone', async (code) => {
    const served = await serve((calls, socket) => {
      if (calls.some(({ params }) => params[0] === 4)) socket.close(code, 'bad record');
      else socket.send(all(calls));
    });
    const { outputs, letters, failure } = await call(served.url, { websocket: { reconnectMs: 1 } });
    expect(failure).toBeUndefined();
    expect(outputs).toEqual(RECORDS.filter((id) => id !== 4));
    expect(letters).toMatchObject([
      { record: 4, code: 'MILLRACE_NETWORK', message: expect.stringContaining('"bad record"') },
    ]);
  });

  it('right after each handshake is not asked again in a hot loop', async () => {
    const served = await closing(1013, 'try again later', true);
    const startedAt = performance.now();
    const { failure } = await call(served.url, {
      breaker: { deadlineMs: 1000, pauseMs: 200 },
      websocket: { sockets: 1, reconnectMs: 50 },
    });
    expect(failure).toMatchObject({ code: 'MILLRACE_UPSTREAM_DOWN' });
    expect(failure?.message).toContain('"try again later"');
    expect(served.connections).toBeLessThan(25);
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });

  it('or no longer answers anything, pings included, is left, and its calls are sent again', async () => {
    let isFirst = true;
    const served = await serve(
      (calls, socket) => {
        if (isFirst) socket.pause();
        else socket.send(all(calls));
        isFirst = false;
      },
      undefined,
      { autoPong: false },
    );
    const { outputs, counts } = await call(served.url, {
      websocket: { sockets: 1, pingAfterMs: 100, pongWithinMs: 200, reconnectMs: 1 },
    });
    expect(outputs).toEqual(RECORDS);
    expect(counts['lostConnections']).toBe(1);
    for (const id of RECORDS) expect(served.called.get(id)).toBe(2);
  });
});
