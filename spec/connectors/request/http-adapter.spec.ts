/** The undici adapter under axios, against servers that misbehave in ways the mock server does not. */
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import axios, { type AxiosInstance } from 'axios';
import { undiciAdapter, type UndiciAdapterOptions } from '#lib/connectors/http/index.js';

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function client(options?: UndiciAdapterOptions): AxiosInstance {
  const adapter = undiciAdapter(options);
  open.unshift(adapter);
  return axios.create({ adapter, proxy: false });
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;
const causeOf = (error: unknown): unknown => codeOf((error as { cause?: unknown }).cause);

describe('undiciAdapter', () => {
  it('is axios: base URL, parameters, JSON both ways, headers, interceptors, basic auth', async () => {
    const seen: { url?: string | undefined; headers: IncomingHttpHeaders; body: string }[] = [];
    const url = await serve((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        seen.push({ url: request.url, headers: request.headers, body });
        response.setHeader('x-answer', 'yes').end('\ufeff{"ok":true}');
      });
    });
    const instance = client();
    instance.interceptors.request.use((config) => {
      config.headers.set('x-added', '1');
      return config;
    });
    const reply = await instance.post<{ ok: boolean }>(
      '/a?x=1',
      { n: 1 },
      { baseURL: url, params: { y: 'é' }, auth: { username: 'u', password: 'p' } },
    );
    expect(reply).toMatchObject({ status: 200, data: { ok: true }, headers: { 'x-answer': 'yes' } });
    expect(seen[0]).toMatchObject({ url: '/a?x=1&y=%C3%A9', body: '{"n":1}' });
    expect(seen[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'x-added': '1',
      authorization: 'Basic dTpw',
    });
  });

  it('rejects as axios does, with the parsed body', async () => {
    const url = await serve((_, response) => response.writeHead(404).end('{"why":"gone"}'));
    await expect(client().get(url)).rejects.toMatchObject({
      code: 'ERR_BAD_REQUEST',
      response: { status: 404, data: { why: 'gone' } },
    });
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('unpacks %s, and refuses what inflates above the limit', async (encoding, pack) => {
    const url = await serve((request, response) => {
      const text = request.url === '/bomb' ? ' '.repeat(2_000_000) : '{"a":1}';
      response.writeHead(200, { 'content-encoding': encoding }).end(pack(text));
    });
    const instance = client({ maxResponseBytes: 100_000 });
    expect((await instance.get(url)).data).toEqual({ a: 1 });
    expect(causeOf(await instance.get(`${url}/bomb`).catch((error: unknown) => error))).toBe('MILLRACE_RESPONSE_LIMIT');
  });

  it('refuses a body above the limit, announced or not, and what is not packed as it says', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/garbage') response.writeHead(200, { 'content-encoding': 'gzip' }).end('not gzip');
      else if (request.url === '/chunked') for (let chunk = 0; chunk < 20; chunk++) response.write('x'.repeat(10_000));
      else response.end('x'.repeat(200_000));
    });
    const instance = client({ maxResponseBytes: 100_000 });
    const failures = ['/', '/chunked', '/garbage'].map((path) => instance.get(url + path).catch(causeOf));
    expect(await Promise.all(failures)).toEqual([
      'MILLRACE_RESPONSE_LIMIT',
      'MILLRACE_RESPONSE_LIMIT',
      'MILLRACE_BAD_RESPONSE',
    ]);
  });

  it('leaves credentials behind when a redirect crosses origins, and keeps them when it does not', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers);
      response.end('{}');
    });
    const url = await serve((request, response) => {
      seen.push(request.headers);
      if (request.url === '/away') response.writeHead(307, { location: `${other}/x` }).end();
      else if (request.url === '/near') response.writeHead(307, { location: '/end' }).end();
      else response.end('{}');
    });
    const headers = {
      Authorization: 'secret',
      Cookie: 'a=b',
      'X-Api-Key': 'k',
      'X-Team-Token': 't',
      'x-harmless': 'h',
    };
    const instance = client({ credentialHeaders: ['X-Team-Token'] });
    await instance.post(`${url}/away`, { a: 1 }, { headers });
    expect(seen[1]).toMatchObject({ 'x-harmless': 'h', 'content-length': '7' });
    for (const name of ['authorization', 'cookie', 'x-api-key', 'x-team-token'])
      expect(seen[1]).not.toHaveProperty(name);
    await instance.post(`${url}/near`, { a: 1 }, { headers });
    expect(seen[3]).toMatchObject({ authorization: 'secret', 'x-team-token': 't' });
  });

  it('turns POST into GET after 302, keeps it after 308, and follows no more than it may', async () => {
    const seen: string[] = [];
    const url = await serve((request, response) => {
      seen.push(`${request.method ?? ''} ${request.url ?? ''}`);
      if (request.url === '/302') response.writeHead(302, { location: '/end' }).end();
      else if (request.url === '/308') response.writeHead(308, { location: '/end' }).end();
      else if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end();
      else if (request.url === '/file') response.writeHead(302, { location: 'file:///etc/hostname' }).end();
      else response.end('{}');
    });
    const instance = client();
    await instance.post(`${url}/302`, {});
    await instance.post(`${url}/308`, {});
    expect(seen).toEqual(['POST /302', 'GET /end', 'POST /308', 'POST /end']);
    expect(codeOf(await instance.get(`${url}/loop`).catch((error: unknown) => error))).toBe(
      'ERR_FR_TOO_MANY_REDIRECTS',
    );
    expect(causeOf(await instance.get(`${url}/file`).catch((error: unknown) => error))).toBe('MILLRACE_BAD_RESPONSE');
  });

  it('ends at once when it is aborted, also while it waits for a connection, and by its timeout', async () => {
    const url = await serve(() => undefined);
    const instance = client({ connections: 1 });
    const abort = new AbortController();
    const both = [instance.get(url, { signal: abort.signal }), instance.get(url, { signal: abort.signal })];
    setImmediate(() => {
      abort.abort();
    });
    const codes = await Promise.all(both.map((request) => request.catch(codeOf)));
    expect(codes).toEqual(['ERR_CANCELED', 'ERR_CANCELED']);
    expect(await instance.get(url, { timeout: 30 }).catch(codeOf)).toBe('ECONNABORTED');
  });

  it('takes no request after it was closed', async () => {
    const url = await serve((_, response) => response.end('{}'));
    const adapter = undiciAdapter();
    await axios.create({ adapter }).get(url);
    await adapter.close();
    await expect(axios.create({ adapter }).get(url)).rejects.toThrow();
  });
});
