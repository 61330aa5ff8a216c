/** Events and refusals of the client, over small servers. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import { firstValueFrom, take, toArray } from 'rxjs';
import { serverClient, ServerRefusedError } from 'millrace/client';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serverOf(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const CHANGE = 'event: change\ndata: 1\n\n';

it('connects again when a connection breaks in an event, ends, or is refused for a while', async () => {
  const answers: RequestListener[] = [
    (_, response) => response.write(`${CHANGE}event: ru`, () => response.destroy()),
    (_, response) => response.writeHead(429).end('{}'),
    (request) => request.socket.destroy(),
    (_, response) => response.end(`: beat\n\nevent: run\ndata: {"runId":"r"}\n\n`),
    (_, response) => response.write(CHANGE),
  ];
  const asked: string[] = [];
  const url = await serverOf((request, response) => {
    asked.push(`${request.url ?? ''} ${request.headers.authorization ?? ''}`);
    answers.shift()?.(request, response);
  });
  const client = serverClient({ url, token: 'mr_x', retryMs: 0 });
  const seen = await firstValueFrom(client.events$({ run: 'r' }).pipe(take(3), toArray()));
  expect(seen).toEqual([{ type: 'change' }, { type: 'run', view: { runId: 'r' } }, { type: 'change' }]);
  expect(new Set(asked)).toEqual(new Set(['/api/v1/live?run=r Bearer mr_x']));
  expect(asked.length).toBe(5);
});

it('ends the request of events that nobody reads any more', async () => {
  let open = 0;
  let onClosed = (): void => undefined;
  const url = await serverOf((_, response) => {
    open++;
    response.on('close', () => {
      open--;
      onClosed();
    });
    response.write(CHANGE);
  });
  const closed = (): Promise<void> =>
    new Promise((resolve) => {
      onClosed = resolve;
    });
  const client = serverClient({ url, token: 'mr_x' });
  const afterLoop = closed();
  for await (const _ of client.events()) break;
  await afterLoop;
  const afterAbort = closed();
  const stop = new AbortController();
  const types: string[] = [];
  for await (const { type } of client.events({ signal: stop.signal })) {
    types.push(type);
    stop.abort();
  }
  await afterAbort;
  const afterUnsubscribe = closed();
  const subscription = client.events$().subscribe(() => {
    subscription.unsubscribe();
  });
  await afterUnsubscribe;
  expect([types, open]).toEqual([['change'], 0]);
});

it('passes on what a server refuses, with its status and its code', async () => {
  const url = await serverOf((_, response) =>
    response.writeHead(404).end('{"code":"MILLRACE_UNKNOWN_RUN","message":"There is no run"}'),
  );
  const client = serverClient({ url, token: 'mr_x' });
  const refusal = { code: 'MILLRACE_UNKNOWN_RUN', status: 404, message: `The server ${url} refuses: There is no run` };
  await expect(client.runs.get('a/b')).rejects.toMatchObject(refusal);
  await expect(firstValueFrom(client.events$({ run: 'x' }))).rejects.toBeInstanceOf(ServerRefusedError);
  await expect(client.runs.ended('x')).rejects.toMatchObject(refusal);
});

it('fails with MILLRACE_NETWORK where no server is, or something that is none', async () => {
  const silent = serverClient({ url: 'http://127.0.0.1:9', token: 'mr_x' });
  await expect(silent.me()).rejects.toMatchObject({ code: 'MILLRACE_NETWORK', retryable: true });
  const page = await serverOf((_, response) => response.end('<html>'));
  await expect(serverClient({ url: page, token: 'mr_x' }).overview()).rejects.toMatchObject({
    code: 'MILLRACE_NETWORK',
  });
  const elsewhere = await serverOf((_, response) => response.writeHead(302, { location: page }).end());
  await expect(serverClient({ url: elsewhere, token: 'mr_x' }).me()).rejects.toMatchObject({
    code: 'MILLRACE_NETWORK',
  });
});

it('refuses an address that is none, a missing token, and an unknown option', () => {
  const refused = { code: 'MILLRACE_INVALID_OPTION' };
  const make = (options: object) => () => serverClient(options as never);
  expect(make({ url: 'localhost', token: 'x' })).toThrow(expect.objectContaining(refused));
  expect(make({ url: 'http://x' })).toThrow(expect.objectContaining(refused));
  expect(make({ url: 'http://x', token: 'x', retry: 1 })).toThrow(expect.objectContaining(refused));
});
