/**
 * How connections are made: through real proxies, with real TLS, over real unix sockets; and what is said when they
 * cannot be.
 */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createPlain, request as forward, type Server } from 'node:http';
import { createServer as createSecure, type ServerOptions } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import axios from 'axios';
import { WebSocketServer } from 'ws';
import { requestTask, undiciAdapter } from '#lib/connectors/http/index.js';
import type { Clock } from '#lib/model/clock.js';
import { proxyFromEnvironment } from '#lib/connectors/request/connection.js';
import { callUpstream } from './support/call-upstream.js';
import {
  CA,
  CLIENT_CERTIFICATE,
  CLIENT_KEY,
  EXPIRED_CERTIFICATE,
  EXPIRED_KEY,
  SERVER_CERTIFICATE,
  SERVER_KEY,
} from './support/certificates.js';

const open: (() => Promise<void>)[] = [];

/** A clock that goes faster, for waits beside real connections. */
function fastClock(factor: number): Clock {
  const monotonicMs = (): number => performance.now() * factor;
  return {
    monotonicMs,
    now: monotonicMs,
    schedule: (delayMs, action) => {
      const timer = setTimeout(action, delayMs / factor);
      return () => {
        clearTimeout(timer);
      };
    },
    defer: (action) => void setImmediate(action),
  };
}
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-connections-'));
});
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function listen(server: Server, at: number | string = 0, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
  const listening = once(server, 'listening');
  if (typeof at === 'string') server.listen(at);
  else server.listen(at, host);
  await listening;
  open.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return typeof at === 'string' ? 0 : (server.address() as AddressInfo).port;
}

/** Answers over HTTP and over WebSocket with where the request came from. */
function answering(tls?: ServerOptions): Server {
  const server = (tls === undefined ? createPlain() : createSecure(tls)) as Server;
  server.on('request', (request, response) => {
    request.resume().on('end', () => response.end('"http"'));
  });
  server.on('tlsClientError', () => undefined);
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => {
      const calls = [JSON.parse(data.toString()) as { id: number }].flat();
      for (const { id } of calls) socket.send(JSON.stringify({ jsonrpc: '2.0', id, result: 'ws' }));
    });
  });
  return server;
}

const TLS = { cert: SERVER_CERTIFICATE, key: SERVER_KEY };
const viaHttp = (port: number, isSecure = false): { url: string } => ({
  url: `http${isSecure ? 's' : ''}://localhost:${port}/`,
});
const viaSocket = (port: number, isSecure = false): { url: string; method: string } => ({
  url: `ws${isSecure ? 's' : ''}://localhost:${port}/`,
  method: 'ask',
});
const BOTH = [
  ['HTTP', viaHttp, 'http'],
  ['WebSocket', viaSocket, 'ws'],
] as const;

interface Proxy {
  readonly port: number;
  /** The targets of CONNECT, and the URLs of forwarded requests. */
  readonly asked: string[];
}

/** A proxy that asks for a user and a password, if `authorization` is given. */
async function proxyServer(authorization?: string): Promise<Proxy> {
  const asked: string[] = [];
  const isAllowed = (given: string | undefined): boolean => authorization === undefined || given === authorization;
  const server = createPlain((request, response) => {
    asked.push(request.url ?? '');
    if (!isAllowed(request.headers['proxy-authorization'])) {
      response.writeHead(407, { 'proxy-authenticate': 'Basic' }).end();
      return;
    }
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = forward(request.url ?? '', { method: request.method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  server.on('connect', (request, socket: Socket, head: Buffer) => {
    asked.push(`CONNECT ${request.url}`);
    socket.on('error', () => undefined);
    if (!isAllowed(request.headers['proxy-authorization'])) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    const onward = connect(Number((request.url ?? '').split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
  return { port: await listen(server), asked };
}

async function withEnvironment<T>(variables: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return await work();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  }
}

describe.each(BOTH)('a proxy over %s', (protocol, via, answer) => {
  it.each([false, true])(
    'that is an option carries the calls, with its user and password (TLS: %s)',
    async (isSecure) => {
      const { port, asked } = await proxyServer(`Basic ${Buffer.from('u é:p@s').toString('base64')}`);
      const target = await listen(answering(isSecure ? TLS : undefined));
      const proxy = `http://u%20%C3%A9:p%40s@127.0.0.1:${port}`;
      const came = await callUpstream({ ...via(target, isSecure), proxy, ca: CA }, [1, 2, 3]);
      expect(came.outputs).toEqual([answer, answer, answer]);
      const isForwarded = protocol === 'HTTP' && !isSecure;
      expect(asked[0]).toBe(isForwarded ? `http://localhost:${target}/` : `CONNECT localhost:${target}`);
    },
  );

  it.each(['HTTP_PROXY', 'http_proxy', 'ALL_PROXY'])(
    'that %s names carries the calls, unless NO_PROXY or `false` exempt them',
    async (name) => {
      const { port, asked } = await proxyServer();
      const target = await listen(answering());
      await withEnvironment({ [name]: `127.0.0.1:${port}`, NO_PROXY: 'elsewhere.example' }, async () => {
        expect((await callUpstream(via(target))).outputs).toEqual([answer]);
        const before = asked.length;
        expect(before).toBeGreaterThan(0);
        expect((await callUpstream({ ...via(target), proxy: false })).outputs).toEqual([answer]);
        await withEnvironment({ NO_PROXY: 'elsewhere.example, localhost' }, async () => {
          expect((await callUpstream(via(target))).outputs).toEqual([answer]);
        });
        expect(asked).toHaveLength(before);
      });
    },
  );

  it('that HTTPS_PROXY names carries calls over TLS only', async () => {
    const { port, asked } = await proxyServer();
    const secure = await listen(answering(TLS));
    const plain = await listen(answering());
    await withEnvironment({ HTTPS_PROXY: `http://127.0.0.1:${port}` }, async () => {
      expect((await callUpstream({ ...via(secure, true), ca: CA })).outputs).toEqual([answer]);
      expect((await callUpstream(via(plain))).outputs).toEqual([answer]);
    });
    // A WebSocket task has two connections.
    expect(new Set(asked)).toEqual(new Set([`CONNECT localhost:${secure}`]));
  });

  it.each([false, true])('that wants other credentials fails the run at once (TLS: %s)', async (isSecure) => {
    const { port } = await proxyServer('Basic x');
    const target = await listen(answering(isSecure ? TLS : undefined));
    const { failure, letters } = await callUpstream({
      ...via(target, isSecure),
      proxy: `http://u:s3cret@127.0.0.1:${port}`,
      ca: CA,
    });
    expect(failure?.message).toMatch(/proxy/i);
    expect(failure?.message).toContain('407');
    expect(failure?.message).not.toContain('s3cret');
    expect(letters).toEqual([]);
  });

  it.each([false, true])('at which nothing listens is named, with what to change (TLS: %s)', async (isSecure) => {
    const gone = createPlain();
    const port = await listen(gone);
    await new Promise((resolve) => gone.close(resolve));
    const target = await listen(answering(isSecure ? TLS : undefined));
    const { letters } = await callUpstream({
      ...via(target, isSecure),
      proxy: `http://u:s3cret@127.0.0.1:${port}`,
      ca: CA,
      breaker: false,
    });
    expect(letters[0]?.message).toContain(`the proxy 127.0.0.1:${port} cannot be reached`);
    expect(letters[0]?.message).toContain('Check `proxy`, or HTTP_PROXY, HTTPS_PROXY and NO_PROXY');
    expect(letters[0]?.message).not.toContain('s3cret');
  });
});

describe.each(BOTH)('TLS over %s', (_, via, answer) => {
  it('trusts a private authority given as text, as bytes or as a path', async () => {
    const port = await listen(answering(TLS));
    const path = join(folder, 'ca.pem');
    await writeFile(path, CA);
    for (const ca of [CA, Buffer.from(CA), path, [path], CA.replaceAll('\n', '\\n')]) {
      expect((await callUpstream({ ...via(port, true), ca })).outputs).toEqual([answer]);
    }
  });

  it('shows a client certificate', async () => {
    const port = await listen(answering({ ...TLS, ca: CA, requestCert: true, rejectUnauthorized: true }));
    const came = await callUpstream({ ...via(port, true), ca: CA, cert: CLIENT_CERTIFICATE, key: CLIENT_KEY });
    expect(came.outputs).toEqual([answer]);
  });

  it.each([
    ['an authority that is not known', TLS, {}, 'Pass the certificate of that authority as `ca`'],
    [
      'an expired certificate',
      { cert: EXPIRED_CERTIFICATE, key: EXPIRED_KEY },
      { ca: CA },
      'Its certificate is not valid at this time',
    ],
    ['a certificate that it must show', { ...TLS, ca: CA, requestCert: true }, { ca: CA }, 'Pass `cert` and `key`'],
  ])('ends the run within seconds for %s, and says what to change', async (_name, server, options, remedy) => {
    const port = await listen(answering(server));
    const startedAt = performance.now();
    const { failure, letters } = await callUpstream({ ...via(port, true), ...options, retry: {} });
    expect(failure).toMatchObject({ code: 'MILLRACE_NETWORK' });
    expect(failure?.message).toContain(remedy);
    expect(letters).toEqual([]);
    // A fault that passes would be tried again for minutes.
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });

  it('says so where the port speaks no TLS', async () => {
    const port = await listen(answering());
    expect((await callUpstream(via(port, true))).failure?.message).toContain('whether the URL must begin with');
  });

  it('says so where the certificate is for another host', async () => {
    const port = await listen(answering(TLS), 0, '127.0.0.2').catch(() => undefined);
    // Some systems have no 127.0.0.2 on the loopback interface.
    if (port === undefined) return;
    const { url, ...rest } = via(port, true);
    const came = await callUpstream({ ...rest, url: url.replace('localhost', '127.0.0.2'), ca: CA });
    expect(came.failure?.message).toContain('is for another host');
  });

  it('checks certificates and keys when the run opens, and shows no key', async () => {
    const key = EXPIRED_KEY;
    const options = { ...via(1, true), cert: CLIENT_CERTIFICATE };
    const other = await callUpstream({ ...options, key });
    expect(other.failure).toMatchObject({ code: 'MILLRACE_CONFIG', message: expect.stringContaining('`cert`, `key`') });
    const mangled = CLIENT_KEY.replace('-----BEGIN', '--BEGIN');
    const broken = await callUpstream({ ...options, key: mangled });
    expect(broken.failure?.code).toBe('MILLRACE_CONFIG');
    expect(broken.failure?.message).not.toContain(mangled.split('\n')[1]);
    const missing = await callUpstream({ ...via(1, true), ca: '/no/such/ca.pem' });
    expect(missing.failure?.message).toContain('/no/such/ca.pem');
  });
});

describe.each(BOTH)('a unix socket over %s', (_, via, answer) => {
  it('takes the place of the host', async () => {
    const socketPath = join(folder, `${answer}.sock`);
    await listen(answering(), socketPath);
    await withEnvironment({ HTTP_PROXY: 'http://127.0.0.1:1' }, async () => {
      expect((await callUpstream({ ...via(80), socketPath }, [1, 2])).outputs).toEqual([answer, answer]);
    });
  });

  it('may carry TLS', async () => {
    const socketPath = join(folder, `${answer}-tls.sock`);
    await listen(answering(TLS), socketPath);
    expect((await callUpstream({ ...via(443, true), socketPath, ca: CA })).outputs).toEqual([answer]);
  });

  it('that does not exist ends the run at once', async () => {
    const { failure } = await callUpstream({ ...via(80), socketPath: join(folder, 'none.sock') });
    expect(failure).toMatchObject({ code: 'MILLRACE_NETWORK', message: expect.stringContaining('Nothing listens at') });
  });
});

describe.each(BOTH)('an upstream over %s at which nothing has listened since the start', (_name, via, _answer) => {
  it.each([1, 100])(
    'stops the run within a few seconds, with what to change and no dead letter: %i records',
    async (count) => {
      const gone = createPlain();
      const port = await listen(gone);
      await new Promise((resolve) => gone.close(resolve));
      const clock = fastClock(20);
      const startedAtMs = clock.monotonicMs();
      const records = Array.from({ length: count }, (_, index) => index);
      const { failure, letters, outputs } = await callUpstream({ ...via(port), retry: {} }, records, clock);
      expect(failure?.code).toBe('MILLRACE_UPSTREAM_DOWN');
      expect(failure?.message).toContain('was not reached since the start of the run');
      expect(failure?.message).toContain('ECONNREFUSED');
      expect(failure?.message).toContain('Check the URL and the host name, start the upstream');
      expect([letters, outputs]).toEqual([[], []]);
      expect(clock.monotonicMs() - startedAtMs).toBeLessThan(60_000);
    },
  );
});

describe('an axios instance over undiciAdapter', () => {
  it('has the same options, and `proxy: false` of a request connects directly', async () => {
    const { port, asked } = await proxyServer();
    const target = await listen(answering(TLS));
    const adapter = undiciAdapter({ proxy: `http://127.0.0.1:${port}`, ca: CA });
    const client = axios.create({ adapter });
    const { url } = viaHttp(target, true);
    expect((await client.get(url)).data).toBe('http');
    expect((await client.get(url, { proxy: false })).data).toBe('http');
    await adapter.close();
    expect(asked).toEqual([`CONNECT localhost:${target}`]);
  });
});

describe('a fault of the configuration', () => {
  const adapterThat =
    (code: string, from = 0) =>
    (config: unknown) =>
      from-- > 0
        ? Promise.resolve({ data: '1', status: 200, statusText: '', headers: {}, config })
        : Promise.reject(Object.assign(new Error('no'), { code }));

  it.each([
    'ENOTFOUND',
    'CERT_HAS_EXPIRED',
    'ERR_INVALID_CHAR',
    'UND_ERR_INVALID_ARG',
    'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
  ])('ends the run before the upstream has answered: %s', async (code) => {
    const client = axios.create({ adapter: adapterThat(code) as never });
    const { failure, letters } = await callUpstream({ url: 'http://nowhere.invalid/', axios: client }, [1, 2, 3]);
    expect(failure?.message).toContain(`(${code})`);
    expect(letters).toEqual([]);
  });

  it('is an outage once the upstream has answered, which is tried again', async () => {
    let calls = 0;
    const adapter = (config: unknown): Promise<unknown> =>
      ++calls === 2
        ? Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))
        : Promise.resolve({ data: '1', status: 200, statusText: '', headers: {}, config });
    const client = axios.create({ adapter: adapter as never });
    const came = await callUpstream({ url: 'http://flaky.invalid/', axios: client, concurrency: 1 }, [1, 2, 3]);
    expect(came.failure).toBeUndefined();
    expect(came.outputs).toEqual([1, 1, 1]);
  });

  it.each([
    ['a line break at its end', { authorization: 'Bearer s3cret\n' }, 'call .trim()'],
    ['a carriage return', { authorization: 'Bearer s3cret\r' }, 'call .trim()'],
    ['a curly quote', { authorization: 'Bearer “s3cret”' }, 'U+201C'],
    ['no value', { authorization: undefined }, 'is undefined'],
    ['a name with a blank', { 'api key': 's3cret' }, 'no name of a header'],
  ])('is a header with %s: refused when the task is made, without its value', (_, headers, words) => {
    let message = '';
    try {
      requestTask({ url: 'http://h', headers: headers as never });
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message).toContain(words);
    expect(message).not.toContain('s3cret');
  });

  it.each([
    ['http://u:50%@127.0.0.1:1/', {}, '%25'],
    ['http://127.0.0.1:1/', { proxy: 'socks5://127.0.0.1:1' }, 'socks5://'],
    ['http://127.0.0.1:1/', { proxy: 'http://u:50%@127.0.0.1:1' }, '%25'],
  ])('is %s with %j: refused when the run opens', async (url, options, words) => {
    const { failure } = await callUpstream({ url, ...options });
    expect(failure).toMatchObject({ code: 'MILLRACE_CONFIG', message: expect.stringContaining(words) });
    expect(failure?.message).not.toContain('u:50');
  });

  it.each([
    ['a certificate without a key', { cert: CLIENT_CERTIFICATE }],
    ['a key without a certificate', { key: CLIENT_KEY }],
    ['a unix socket with a proxy', { socketPath: '/x', proxy: 'http://p' }],
    ['a proxy with an axios instance', { proxy: 'http://p', axios }],
    ['an encoding that nobody knows', { responseEncoding: 'klingon' }],
  ])('is %s: refused when the task is made', (_, options) => {
    expect(() => requestTask({ url: 'http://h', ...options })).toThrow(
      expect.objectContaining({ code: 'MILLRACE_INVALID_OPTION' }),
    );
  });
});

describe('NO_PROXY', () => {
  const isDirect = (list: string, url: string): boolean =>
    proxyFromEnvironment({ HTTP_PROXY: 'http://p', HTTPS_PROXY: 'http://p', NO_PROXY: list })?.(new URL(url)) ===
    undefined;

  it.each([
    ['*', 'http://a.example/', true],
    ['example', 'http://a.example/', true],
    ['.example', 'http://a.example/', true],
    ['*.example', 'https://a.b.example/', true],
    ['a.example', 'http://A.Example./', true],
    ['a.example', 'http://ba.example/', false],
    ['x,, a.example', 'ws://a.example/', true],
    ['a.example:8080', 'http://a.example:8080/', true],
    ['a.example:8080', 'http://a.example/', false],
    ['a.example:443', 'wss://a.example/', true],
    ['10.0.0.0/8', 'http://10.1.2.3/', true],
    ['10.0.0.0/8', 'http://11.1.2.3/', false],
    ['10.1.2.3', 'http://10.1.2.3:99/', true],
    ['1.2.3', 'http://4.1.2.3/', false],
    ['::1', 'http://[::1]:8080/', true],
    ['[::1]:80', 'http://[::1]:8080/', false],
    ['fe80::/10', 'http://[fe80::1]/', true],
    ['', 'http://a/', false],
  ])('%j exempts %s: %s', (list, url, isExempt) => {
    expect(isDirect(list, url)).toBe(isExempt);
  });
});
