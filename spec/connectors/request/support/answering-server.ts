/**
 * A server that answers as a `fakeUpstream` does, from the same function, over real connections: what a stand-in is
 * held against. Promise: what it is asked is kept in the form of the calls of a fake upstream.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { WebSocketServer } from 'ws';
import type { FakeReply } from 'millrace/testing';

/** What both sides show of a call. */
export interface CallSeen {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
  readonly key: string | undefined;
}

export interface AnsweringServer {
  /** http://host:port */
  readonly url: string;
  readonly calls: readonly CallSeen[];
  stop(): Promise<void>;
}

interface RpcCall {
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
  readonly idempotencyKey?: string;
}

export async function answeringServer(answer: (call: CallSeen) => FakeReply): Promise<AnsweringServer> {
  const calls: CallSeen[] = [];
  const replyTo = (call: CallSeen): FakeReply => {
    calls.push(call);
    return answer(call);
  };
  const server = createServer((request, response) => {
    void answerRequest(request, response, replyTo);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, { headers, url }) => {
    socket.on('message', (data: Buffer) => {
      const given = JSON.parse(data.toString()) as RpcCall | RpcCall[];
      for (const { id, method, params, idempotencyKey: key } of [given].flat()) {
        const reply = replyTo({ method, path: url ?? '', headers, body: unwrapped(params), key });
        if (reply.instead === 'reset') socket.terminate();
        else socket.send(reply.text ?? JSON.stringify({ jsonrpc: '2.0', id, ...outcomeOf(reply) }));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    stop: async () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  replyTo: (call: CallSeen) => FakeReply,
): Promise<void> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  const { method = '', url: path = '', headers } = request;
  const body = text === '' ? undefined : (JSON.parse(text) as unknown);
  const key = headers['idempotency-key'];
  const reply = replyTo({ method, path, headers, body, key: typeof key === 'string' ? key : undefined });
  if (reply.instead === 'reset') {
    request.socket.destroy();
    return;
  }
  response.writeHead(reply.status ?? 200, reply.headers);
  response.end(reply.text ?? (reply.body === undefined ? '' : JSON.stringify(reply.body)));
}

/** JSON-RPC takes what is no object as the only parameter of a list. */
function unwrapped(params: unknown): unknown {
  return Array.isArray(params) && params.length === 1 ? (params[0] as unknown) : params;
}

function outcomeOf({ status = 200, headers = {}, body }: FakeReply): object {
  if (status < 400) return { result: body ?? null };
  const retryAfter = Object.entries(headers).find(([name]) => name.toLowerCase() === 'retry-after')?.[1];
  return { error: { code: -32000, message: JSON.stringify(body), data: { status, retryAfter } } };
}
