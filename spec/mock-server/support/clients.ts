/**
 * Clients for the mock server that hide nothing: what arrives is given as it arrived, errors by their code. The
 * promise: `withServer` stops its server and `RpcClient.open` sockets end with it, whatever the test does.
 */
import { Agent, request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { WebSocket } from 'ws';
import { startMockServer } from '#mock-server/server.js';
import type { MockServer, MockServerOptions } from '#mock-server/server.js';

export const FEATURES = {
  AVG_POINTS_BOUGHT: 50,
  AVG_REVENUE_USD: 20,
  LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: 100,
  LAST_3_TRANSACTIONS_AVG_REVENUE_USD: 40,
  PCT_BUY_TRANSACTIONS: 0.5,
  PCT_GIFT_TRANSACTIONS: 0.25,
  PCT_REDEEM_TRANSACTIONS: 0.25,
  DAYS_SINCE_LAST_TRANSACTION: 1189,
};

export async function withServer<T>(options: MockServerOptions, use: (server: MockServer) => Promise<T>): Promise<T> {
  const server = await startMockServer(options);
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** Parsed lazily: some replies are meant not to parse. */
  readonly json: unknown;
}

export interface AskOptions {
  readonly method?: string;
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Buffer;
  readonly headers?: Record<string, string>;
  readonly agent?: Agent;
  readonly signal?: AbortSignal;
}

/** One HTTP exchange; a body makes it a POST. Rejects with Node's error when the connection breaks. */
export function ask(server: MockServer, path: string, options: AskOptions = {}): Promise<Reply> {
  const raw = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  const headers = { ...(raw === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers };
  const method = options.method ?? (raw === undefined ? 'GET' : 'POST');
  return new Promise((resolve, reject) => {
    const outgoing = request(
      server.url + path,
      { method, headers, agent: options.agent ?? false, ...(options.signal ? { signal: options.signal } : {}) },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const bytes = Buffer.concat(chunks);
          const text = bytes.toString();
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            bytes,
            text,
            get json() {
              return JSON.parse(text) as unknown;
            },
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(raw);
  });
}

/** A good prediction request. */
export function predict(server: MockServer, options: AskOptions = {}): Promise<Reply> {
  return ask(server, '/ml/ats/predict', { body: FEATURES, ...options });
}

/** The code of the error a promise rejects with; fails if it resolves. */
export async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
  throw new Error('Expected a rejection');
}

/** A WebSocket whose messages are read one by one, in order. */
export class RpcClient {
  readonly #messages: string[] = [];
  readonly #readers: ((text: string) => void)[] = [];
  /** Settles with the close code. */
  readonly closed: Promise<number>;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => {
      const reader = this.#readers.shift();
      if (reader === undefined) this.#messages.push(data.toString());
      else reader(data.toString());
    });
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => socket.once('close', resolve));
  }

  static open(server: MockServer, path = '/'): Promise<RpcClient> {
    const socket = new WebSocket(server.wsUrl + path);
    const client = new RpcClient(socket);
    return new Promise((resolve, reject) => {
      socket.once('open', () => {
        resolve(client);
      });
      socket.once('error', reject);
    });
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  text(): Promise<string> {
    const text = this.#messages.shift();
    return text === undefined ? new Promise((resolve) => this.#readers.push(resolve)) : Promise.resolve(text);
  }

  async next(): Promise<unknown> {
    return JSON.parse(await this.text()) as unknown;
  }

  /** Sends one message and reads one. */
  ask(message: unknown): Promise<unknown> {
    this.send(message);
    return this.next();
  }

  /** Messages that have arrived and nobody has read. */
  get unread(): number {
    return this.#messages.length;
  }

  /** Resolves when the server has answered a ping: everything it sent before has arrived by then. */
  pong(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.once('pong', () => {
        resolve();
      });
      this.socket.ping();
    });
  }
}

/** A JSON-RPC call; without an id, a notification. */
export function call(
  id: string | number | null | undefined,
  method = 'ats.predict',
  params: unknown = FEATURES,
): unknown {
  return { jsonrpc: '2.0', ...(id === undefined ? {} : { id }), method, params };
}

/** The answer to `call(id)`. */
export function answer(id: string | number | null): unknown {
  return { jsonrpc: '2.0', result: { prediction: 42.5 }, id };
}
