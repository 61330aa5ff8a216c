/** Calls over WebSocket against servers that do on purpose what the mock server does not. */
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { WebSocketServer, type WebSocket } from 'ws';
import { defineWorkflow, sourceTask } from '#lib/index.js';
import { requestTask } from '#lib/connectors/http/index.js';
import type { CallCounts, RunEvent, RunSummary } from '#lib/index.js';
import type { RequestOptions } from '#lib/connectors/http/index.js';
import type { WebSocketCodec } from '#lib/connectors/websocket/index.js';

interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: readonly [number];
  readonly idempotencyKey?: string;
  readonly traceparent?: string;
}

/** What a server does with the calls of one message. */
type Behaviour = (calls: readonly Call[], socket: WebSocket, connection: number) => void;

const servers: WebSocketServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    for (const socket of server.clients) socket.terminate();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  }
});

const answer = (call: Call): unknown => ({ jsonrpc: '2.0', id: call.id, result: call.params[0] });

async function serve(
  behave: Behaviour,
): Promise<{ url: string; messages: (readonly Call[])[]; handshakes: IncomingHttpHeaders[] }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  const messages: (readonly Call[])[] = [];
  const handshakes: IncomingHttpHeaders[] = [];
  servers.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  server.on('connection', (socket, request) => {
    const connection = handshakes.push(request.headers);
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Call | Call[];
      const calls = Array.isArray(message) ? message : [message];
      messages.push(calls);
      behave(calls, socket, connection);
    });
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, messages, handshakes };
}

interface Outcome {
  readonly outputs: number[];
  readonly summary: RunSummary;
  readonly counts: CallCounts;
  readonly letters: unknown[];
}

async function ask(
  url: string,
  records: number,
  options: Partial<RequestOptions<number, number>> = {},
): Promise<Outcome> {
  const run = defineWorkflow({
    name: 'Sockets',
    build: (flow) =>
      flow
        .task('Read', sourceTask(Array.from({ length: records }, (_, id) => id)))
        .task('Ask', ['Read'], requestTask<number, number>({ url, method: 'echo', retry: { baseMs: 2 }, ...options })),
  }).run(undefined, { runId: 'r' });
  const outputs: number[] = [];
  const events: RunEvent[] = [];
  run.output$('Ask').subscribe((output) => outputs.push(output));
  run.events$.subscribe((event) => events.push(event));
  const summary = await run.finished;
  return {
    outputs: outputs.sort((a, b) => a - b),
    summary,
    counts: events.find((event) => event.type === 'calls')?.counts ?? {},
    letters: events.filter((event) => event.type === 'dead-letter').map(({ letter }) => letter),
  };
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, id) => id);

describe('calls over WebSocket', () => {
  it('travel together, up to the limit of a message, without compression', async () => {
    const { url, messages, handshakes } = await serve((calls, socket) => {
      socket.send(JSON.stringify(calls.map(answer)));
    });
    const { outputs } = await ask(url, 100, {
      websocket: { sockets: 1, maxBatch: 16 },
      headers: { authorization: 'x' },
    });
    expect(outputs).toEqual(numbers(100));
    expect(messages.map((calls) => calls.length)).toEqual([16, 16, 16, 16, 16, 16, 4]);
    expect(handshakes).toHaveLength(1);
    expect(handshakes[0]).toMatchObject({ authorization: 'x', 'x-correlation-id': 'r' });
    expect(handshakes[0]).not.toHaveProperty('sec-websocket-extensions');
  });

  it('are paired by id, however the replies are ordered and cut into messages', async () => {
    const { url } = await serve((calls, socket) => {
      for (const call of [...calls].reverse()) socket.send(JSON.stringify(answer(call)));
    });
    expect((await ask(url, 200, { ordered: true })).outputs).toEqual(numbers(200));
  });

  it('are sent again after a lost connection, with the key they had', async () => {
    const { url, messages, handshakes } = await serve((calls, socket, connection) => {
      if (connection === 1) socket.terminate();
      else socket.send(JSON.stringify(calls.map(answer)));
    });
    const { outputs, counts, summary } = await ask(url, 20, { websocket: { sockets: 1, reconnectMs: 1 }, trace: true });
    expect(outputs).toEqual(numbers(20));
    expect(handshakes).toHaveLength(2);
    expect(counts).toMatchObject({ lostConnections: 1, circuitOpened: 0 });
    expect(summary.tasks['Ask']?.retried).toBe(20);
    const calls = messages.flat();
    const keys = (id: number): Set<unknown> =>
      new Set(calls.filter(({ params }) => params[0] === id).map(({ idempotencyKey }) => idempotencyKey));
    for (const id of numbers(20)) expect(keys(id).size).toBe(1);
    expect(new Set(calls.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(20);
    expect(new Set(calls.map(({ traceparent }) => traceparent)).size).toBe(40);
  });

  it('are not sent again after a lost connection where no key is sent', async () => {
    const { url } = await serve((calls, socket, connection) => {
      if (connection === 1) socket.terminate();
      else socket.send(JSON.stringify(calls.map(answer)));
    });
    const { letters } = await ask(url, 5, { websocket: { sockets: 1 }, idempotencyKey: false });
    expect(letters).toHaveLength(5);
    expect(letters[0]).toMatchObject({ code: 'MILLRACE_NETWORK', attempts: 1 });
  });

  it('are tried alone where one of them kills the connection, and only that one is given up', async () => {
    const { url } = await serve((calls, socket) => {
      if (calls.some(({ params }) => params[0] === 13)) socket.terminate();
      else socket.send(JSON.stringify(calls.map(answer)));
    });
    const { outputs, letters } = await ask(url, 40, {
      websocket: { reconnectMs: 1, maxReconnectMs: 5 },
      retry: { attempts: 4, baseMs: 1, maxDelayMs: 5 },
      breaker: { failures: 50, pauseMs: 5 },
    });
    expect(letters).toMatchObject([{ record: 13, attempts: 4, code: 'MILLRACE_NETWORK' }]);
    expect(outputs).toEqual(numbers(40).filter((id) => id !== 13));
  });

  it('count a reply that comes too late, and drop it', async () => {
    let held: string | undefined;
    const { url } = await serve((calls, socket) => {
      for (const call of calls) {
        const text = JSON.stringify(answer(call));
        if (call.params[0] === 0 && held === undefined) held = text;
        else {
          // The answer to the second attempt follows that to the first.
          if (call.params[0] === 0 && held !== undefined) socket.send(held);
          socket.send(text);
        }
      }
    });
    const { outputs, counts } = await ask(url, 10, { timeoutMs: 1000, websocket: { sockets: 1, maxBatch: 1 } });
    expect(outputs).toEqual(numbers(10));
    expect(counts).toMatchObject({ timeouts: 1, lateReplies: 1, duplicateReplies: 0, unknownReplies: 0 });
  });

  it('wait while the other side does not read, and memory stays bounded', async () => {
    let isPaused = false;
    const { url } = await serve((calls, socket) => {
      if (!isPaused) {
        isPaused = true;
        socket.pause();
        setTimeout(() => {
          socket.resume();
        }, 100);
      }
      socket.send(JSON.stringify(calls.map(answer)));
    });
    const padding = 'x'.repeat(20_000);
    const { outputs } = await ask(url, 600, {
      body: (id) => [id, padding],
      websocket: { sockets: 1, maxBatch: 4, maxBufferedBytes: 200_000 },
    });
    expect(outputs).toEqual(numbers(600));
  });

  it('speak another protocol through a codec, one call a message', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    servers.push(server);
    await new Promise((resolve) => server.once('listening', resolve));
    server.on('connection', (socket) => {
      socket.on('message', (data: Buffer) => {
        const [id, value] = data.toString().split(' ');
        socket.send(value === '3' ? `${id ?? ''} no` : `${id ?? ''} ${String(Number(value) * 2)}`);
      });
    });
    const codec: WebSocketCodec = {
      encode: ({ id, params }) => `${id} ${String(params)}`,
      decode: (message) => {
        const [id, value] = message.split(' ');
        return value === 'no'
          ? [{ id: Number(id), error: { message: 'no', isPassing: false } }]
          : [{ id: Number(id), result: Number(value) }];
      },
    };
    const { outputs, letters } = await ask(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, 5, {
      websocket: { codec },
    });
    expect(outputs).toEqual([0, 2, 4, 8]);
    expect(letters).toMatchObject([{ record: 3, code: 'MILLRACE_RPC', attempts: 1 }]);
  });
});
