/** Asynchronous schemas of requests: they are waited for, over HTTP and over WebSocket, and cost single records. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocketServer } from 'ws';
import { callUpstream } from './support/call-upstream.js';

let http: Server;
let sockets: WebSocketServer;
const urls = { http: '', websocket: '' };

interface RpcCall {
  readonly id: number;
  readonly params: unknown;
}

beforeAll(async () => {
  http = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    request.pipe(response);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => sockets.once('listening', resolve));
  sockets.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const calls = [JSON.parse(data.toString()) as RpcCall | RpcCall[]].flat();
      socket.send(JSON.stringify(calls.map(({ id, params }) => ({ jsonrpc: '2.0', id, result: params }))));
    });
  });
  urls.http = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`;
  urls.websocket = `ws://127.0.0.1:${(sockets.address() as AddressInfo).port}/`;
});

afterAll(async () => {
  http.closeAllConnections();
  for (const socket of sockets.clients) socket.terminate();
  await Promise.all([http, sockets].map((server) => new Promise((resolve) => server.close(resolve))));
});

/** Answers a little later, for odd numbers with an issue. */
const even = {
  '~standard': {
    version: 1,
    vendor: 'spec',
    validate: async (value: unknown) => {
      await new Promise(setImmediate);
      const [number] = [value].flat();
      return Number(number) % 2 === 1 ? { issues: [{ message: 'odd' }] } : { value };
    },
  },
} as never;

describe.each(['http', 'websocket'] as const)('an asynchronous schema over %s', (transport) => {
  it.each(['input', 'output', 'response'] as const)(
    'as the %s is waited for, and costs single records',
    async (name) => {
      const { outputs, letters } = await callUpstream(
        { url: urls[transport], ...(transport === 'http' ? {} : { method: 'echo' }), [name]: even },
        [1, 2, 3, 4],
      );
      expect(outputs.flat().sort()).toEqual([2, 4]);
      expect(letters.map(({ message }) => message).sort()).toEqual(
        [1, 3].map(() => expect.stringContaining('odd, got')),
      );
    },
  );
});
