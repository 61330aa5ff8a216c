/**
 * Attacks on a server over HTTP, against the real one. `docs/security.md` lists all attacks with their specs.
 *
 * Each attack is also made on a careless server, which answers everything and checks nothing: there it must be noticed.
 */
import { readFileSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { end, HOOK_SECRET, newFolder, removeFolder, serve, until, type Served } from './support/served.js';

const LIMIT_MS = 60_000;
const CANARY = 'a-secret-canary';
/** Part of each answer of the careless server: what no attack may reveal. */
const TREASURE = 'root:x:0:0';

interface Target {
  readonly url: string;
  readonly token: string;
  /** The paths of all routes that are read with GET, with `x` for their parameters. */
  readonly paths: readonly string[];
}

interface Raw {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Sends these bytes, and reads the first answer. Its status is 0 if the connection was closed without one. */
function raw({ url }: Target, bytes: string, answerMs = 5000): Promise<Raw> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      const [head = '', ...rest] = text.split('\r\n\r\n');
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0), head, body: rest.join('\r\n\r\n') });
    };
    const timer = setTimeout(finish, answerMs);
    socket.on('data', (data) => {
      text += data.toString('latin1');
      const length = /content-length: (\d+)/i.exec(text)?.[1];
      const begun = text.indexOf('\r\n\r\n');
      if (length !== undefined && begun >= 0 && text.length >= begun + 4 + Number(length)) finish();
    });
    socket.on('close', finish);
    socket.on('error', () => undefined);
    socket.write(bytes, 'latin1');
  });
}

function requestOf({ url, token }: Target, line: string, headers: readonly string[] = [], body = ''): string {
  const host = headers.some((header) => /^host/i.test(header)) ? [] : [`Host: ${new URL(url).host}`];
  const bearer = headers.includes('anonymous') ? [] : [`Authorization: Bearer ${token}`];
  const sent = headers.filter((header) => header !== 'anonymous');
  return `${[`${line} HTTP/1.1`, ...host, ...bearer, ...sent, 'Connection: close'].join('\r\n')}\r\n\r\n${body}`;
}

/** Attacks with what must be true of the answer. */
type Attack = (target: Target) => Promise<void>;

async function refused(target: Target, bytes: string, statuses: readonly number[]): Promise<void> {
  const { status, head, body } = await raw(target, bytes);
  expect({ bytes: bytes.slice(0, 80), status: statuses.includes(status) ? 'refused' : status }).toEqual({
    bytes: bytes.slice(0, 80),
    status: 'refused',
  });
  expect(head.toLowerCase()).not.toContain('access-control-allow-origin');
  expect(body).not.toContain(TREASURE);
}

const json = (text: string): readonly string[] => [
  'Content-Type: application/json',
  `Content-Length: ${Buffer.byteLength(text)}`,
];

const TRICKS = ['//api/v1/me', '/./api/v1/me', '/api/v1/../v1/me', '/api/v1/me/', '/api/v1/me;x', '/api/v1/me.'];
const ODD_PATHS = [
  ...['/API/V1/ME', '/api/v1/%256de', '/api/v1/me%00', '/api/v1/runs/..%2fme', '/api\\v1\\me', '/%2e%2e/etc/passwd'],
  ...[
    '/assets/..%2f..%2f..%2fetc/passwd',
    '/..;/api/v1/me',
    '/api/v1/tokens.css',
    '/api/v1/%2e%2e/%2e%2e/package.json',
  ],
];

const ATTACKS: Readonly<Record<string, Attack>> = {
  '2: paths that are written otherwise reach nothing without a token': async (target) => {
    for (const path of [...TRICKS, ...ODD_PATHS]) {
      await refused(target, requestOf(target, `GET ${path}`, ['anonymous']), [400, 401, 404]);
    }
  },
  '2: nor with one, unless they are the same path': async (target) => {
    for (const path of ODD_PATHS) await refused(target, requestOf(target, `GET ${path}`), [400, 404]);
  },
  '8: bodies of other types are not read': async (target) => {
    for (const type of [
      ...['text/plain', 'application/json;', '\tapplication/json, text/plain', 'multipart/form-data; boundary=x'],
      ...['application/json; charset=utf-16', 'application/x-www-form-urlencoded', 'application/jsonx'],
    ]) {
      const headers = [`Content-Type: ${type}`, 'Content-Length: 2'];
      await refused(target, requestOf(target, 'POST /api/v1/workflows/Flow/runs', headers, '{}'), [400, 415]);
    }
    await refused(target, requestOf(target, 'POST /api/v1/workflows/Flow/runs', ['Content-Length: 2'], '{}'), [415]);
  },
  '9: prototypes and repeated members are refused': async (target) => {
    for (const text of [
      ...['{"settings":{"__proto__":{"x":1}}}', '{"__proto__":{"x":1}}', '{"constructor":{"prototype":{"x":1}}}'],
      ...['{"settings":{"constructor":{"prototype":{"x":1}}}}', '{"settings":{},"other":1}', '[]', 'null', '"x"'],
    ]) {
      await refused(target, requestOf(target, 'POST /api/v1/workflows/Flow/runs', json(text), text), [400]);
    }
    await refused(target, requestOf(target, 'GET /api/v1/runs?__proto__[x]=1'), [400]);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  },
  '10: a page of another origin changes nothing': async (target) => {
    for (const origin of ['http://evil.example', 'null', 'http://127.0.0.1.evil.example', 'https://127.0.0.1']) {
      const headers = [`Origin: ${origin}`, ...json('{}')];
      await refused(target, requestOf(target, 'POST /api/v1/workflows/Flow/runs', headers, '{}'), [403]);
    }
    const foreign = ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors'];
    await refused(target, requestOf(target, 'GET /api/v1/runs', foreign), [403]);
  },
  '11: no origin is ever allowed to read': async (target) => {
    for (const origin of ['http://evil.example', 'null', 'http://sub.localhost', 'file://']) {
      await refused(target, requestOf(target, 'GET /api/v1/runs', [`Origin: ${origin}`]), [403]);
      const asked = [`Origin: ${origin}`, 'Access-Control-Request-Method: POST'];
      await refused(target, requestOf(target, 'OPTIONS /api/v1/runs', asked), [403]);
    }
  },
  '12: other names of the host are refused, also for the page': async (target) => {
    const { host, port } = new URL(target.url);
    const wrong = [
      ...['Host: evil.example', `Host: localhost.evil.example:${port}`, `Host: ${host.replace(/\d+$/, '1')}`],
      ...['Host: [::ffff:127.0.0.1]', `Host: ${host}\r\nHost: evil.example`, 'Host: '],
    ];
    for (const path of ['/', '/api/v1/runs', '/metrics', '/index.html']) {
      for (const header of wrong) await refused(target, requestOf(target, `GET ${path}`, [header]), [400, 421]);
    }
    await refused(target, 'GET / HTTP/1.0\r\n\r\n', [400, 421]);
    const absolute = requestOf(target, 'GET http://evil.example/api/v1/runs', ['Host: evil.example']);
    await refused(target, absolute, [400, 404, 421]);
  },
  '13: headers of proxies are not believed': async (target) => {
    const forged = ['X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: https', 'Forwarded: host=evil.example'];
    for (const path of ['/api/v1/openapi.json', '/api/v1/overview', '/']) {
      const { status, head, body } = await raw(target, requestOf(target, `GET ${path}`, forged));
      expect([path, status]).toEqual([path, 200]);
      expect(head + body).not.toContain('evil.example');
      expect(body).not.toContain(TREASURE);
    }
  },
  '19: nothing that a user writes takes long to refuse': async (target) => {
    const deep = `{"settings":{"text":${'['.repeat(10_000)}${']'.repeat(10_000)}}}`;
    const rules = [
      { cron: '*/1 '.repeat(20_000), zone: 'UTC' },
      { cron: '0 0 30 2 *', zone: 'UTC' },
    ];
    const bodies = [deep, ...rules.map((rule) => JSON.stringify(rule))];
    for (const text of bodies) {
      const path = text === deep ? '/api/v1/workflows/Flow/runs' : '/api/v1/schedules/preview';
      await refused(target, requestOf(target, `POST ${path}`, json(text), text), [400, 413]);
    }
    const flat = JSON.stringify({ every: '1h', settings: { text: `\\"${'['.repeat(1000)}` } });
    const allowed = await raw(target, requestOf(target, 'POST /api/v1/schedules/preview', json(flat), flat));
    expect([allowed.status, allowed.body.includes('next')]).toEqual([200, true]);
    // The next request is answered, so the event loop is free.
    expect((await raw(target, requestOf(target, 'GET /api/v1/me'))).status).toBe(200);
  },
  '20: a body that is too large is refused before it is read': async (target) => {
    const headers = ['Content-Type: application/json', `Content-Length: ${2 ** 30}`];
    await refused(target, requestOf(target, 'POST /api/v1/workflows/Flow/runs', headers, '{'), [413]);
    const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`;
    const chunked = ['Content-Type: application/json', 'Transfer-Encoding: chunked'];
    const endless = requestOf(target, 'POST /api/v1/workflows/Flow/runs', chunked, chunk.repeat(40));
    await refused(target, endless, [413, 0]);
  },
  '21: connections that send half of a request keep nobody waiting': async (target) => {
    const { hostname, port } = new URL(target.url);
    const sockets = Array.from({ length: 300 }, (_, index) => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      const half = 'POST /api/v1/workflows/Flow/runs HTTP/1.1\r\nContent-Type: application/json\r\n';
      socket.write(index % 2 === 0 ? half : `${half}Host: ${hostname}:${port}\r\nContent-Length: 9\r\n\r\n{`);
      return socket;
    });
    try {
      const { status, body } = await raw(target, requestOf(target, 'GET /api/v1/me'));
      expect([status, body.includes('admin')]).toEqual([200, true]);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  },
  '22: requests that two readers could understand otherwise are refused': async (target) => {
    const both = ['Content-Type: application/json', 'Content-Length: 2', 'Transfer-Encoding: chunked'];
    await refused(target, requestOf(target, 'POST /api/v1/workflows/Flow/runs', both, '0\r\n\r\n{}'), [400]);
    const twice = ['Content-Type: application/json', 'Content-Length: 2', 'Content-Length: 3'];
    await refused(target, requestOf(target, 'POST /api/v1/workflows/Flow/runs', twice, '{}'), [400]);
    const folded = 'GET /api/v1/me HTTP/1.1\r\nHost: x\r\n y\r\n\r\n';
    await refused(target, folded, [400, 421]);
    const { host } = new URL(target.url);
    await refused(target, `GET /api/v1/me HTTP/1.1\nHost: ${host}\nX: y\n\n`, [400, 401]);
  },
  '23: packed bodies are not unpacked': async (target) => {
    const headers = [...json('{}'), 'Content-Encoding: gzip'];
    await refused(target, requestOf(target, 'POST /api/v1/workflows/Flow/runs', headers, '{}'), [415]);
  },
  '24: filters are no part of a query': async (target) => {
    const texts = ["' OR '1'='1", "'; DROP TABLE runs;--", '1) UNION SELECT hash FROM tokens--', '%', "\\'"];
    for (const text of texts) {
      for (const name of ['state', 'limit', 'before', 'workflow', 'schedule', 'backfill', 'origin']) {
        const query = `${name}=${encodeURIComponent(text)}`;
        const { status, body } = await raw(target, requestOf(target, `GET /api/v1/runs?${query}`));
        expect([query, status === 200 || status === 400]).toEqual([query, true]);
        if (status === 200) expect(body).toContain('"runs":[]');
      }
    }
  },
  '26: a token in an address is refused, and no answer contains one': async (target) => {
    await refused(target, requestOf(target, `GET /api/v1/runs?token=${target.token}`, ['anonymous']), [400]);
    for (const path of target.paths) {
      const { body, head } = await raw(target, requestOf(target, `GET ${path}`));
      expect(head + body).not.toContain(target.token);
      expect(body).not.toContain(TREASURE);
    }
  },
  '27: nothing redirects': async (target) => {
    for (const path of ['/?next=//evil.example', '/%2f%2fevil.example', '/\\evil.example', '//evil.example/..']) {
      const { head } = await raw(target, requestOf(target, `GET ${path}`));
      expect(head.toLowerCase()).not.toMatch(/\nlocation:|evil/);
    }
  },
  '28: each answer forbids frames, sniffing, foreign scripts and copies in caches': async (target) => {
    const requests = [
      ...target.paths.map((path) => requestOf(target, `GET ${path}`)),
      ...['/nothing', '/api/v1/nothing', '/api/v1/tokens'].map((path) =>
        requestOf(target, `GET ${path}`, ['anonymous']),
      ),
      requestOf(target, 'POST /api/v1/workflows/Flow/runs', json('{'), '{'),
      requestOf(target, 'GET /'),
    ];
    for (const bytes of requests) {
      const { head } = await raw(target, bytes);
      const sent = head.toLowerCase();
      expect([bytes.slice(0, 60), sent.includes('x-content-type-options: nosniff')]).toEqual([
        bytes.slice(0, 60),
        true,
      ]);
      expect(sent).toContain('referrer-policy: no-referrer');
      expect(sent).toContain('cache-control: no-store');
      // A report that is saved is in a sandbox of its own.
      expect(sent).toMatch(/frame-ancestors 'none'|content-security-policy: sandbox/);
    }
  },
};

describe('an attack', () => {
  let folder: string;
  let served: Served;
  let careless: Server;
  let target: Target;
  let fooled: Target;

  beforeAll(async () => {
    folder = newFolder();
    served = await serve(folder);
    const { body } = await served.ask('/openapi.json');
    const paths = Object.entries(body['paths'] as Record<string, object>)
      .filter(([path, methods]) => 'get' in methods && !path.includes('live'))
      .map(([path]) => path.replace(/\{\w+\}/g, 'x'));
    target = { url: served.url, token: served.token, paths };
    careless = createServer({ insecureHTTPParser: true }, (request, response) => {
      request.resume();
      const text = `${TREASURE} ${request.headers.authorization ?? ''} ${String(request.headers['x-forwarded-host'])}`;
      response.writeHead(200, {
        'access-control-allow-origin': '*',
        location: 'http://evil.example',
        'content-length': Buffer.byteLength(text),
      });
      response.end(text);
    });
    await new Promise<void>((resolve) => {
      careless.listen(0, '127.0.0.1', resolve);
    });
    const { port } = careless.address() as AddressInfo;
    fooled = { ...target, url: `http://127.0.0.1:${port}` };
  }, LIMIT_MS);

  afterAll(async () => {
    writeFileSync(join(folder, 'go'), '');
    careless.closeAllConnections();
    careless.close();
    await end(served);
    removeFolder(folder);
  });

  it.each(Object.entries(ATTACKS))('%s', async (_, attack) => attack(target), LIMIT_MS);

  it(
    'is noticed on a server that checks nothing',
    async () => {
      const unnoticed: string[] = [];
      for (const [name, attack] of Object.entries(ATTACKS)) {
        await attack(fooled).then(
          () => unnoticed.push(name),
          () => undefined,
        );
      }
      expect(unnoticed).toEqual([]);
    },
    LIMIT_MS,
  );

  it(
    '14: with many live streams finds no place for more, and costs the others nothing',
    async () => {
      const closed = new AbortController();
      // The answers are held: the stream of one that is collected as garbage is closed.
      const answers: Response[] = [];
      for (let stream = 0; stream < 102; stream++) {
        const headers = { authorization: `Bearer ${served.token}` };
        answers.push(await fetch(`${served.url}/api/v1/live`, { headers, signal: closed.signal }));
      }
      const statuses = answers.map(({ status }) => status);
      expect([statuses.filter((status) => status === 200).length, statuses.at(-1)]).toEqual([100, 429]);
      expect((await served.ask('/me')).status).toBe(200);
      closed.abort();
    },
    LIMIT_MS,
  );

  it(
    '3, 4: by a link in the folder of a run reads no other file',
    async () => {
      writeFileSync(join(folder, 'go'), '');
      const { body } = await served.ask('/workflows/Flow/runs', { method: 'POST', body: {} });
      const id = body['id'] as string;
      await until(async () => (await served.ask(`/runs/${id}`)).body['state'] === 'completed');
      rmSync(join(folder, 'go'));
      const path = join(folder, '.millrace', 'runs', id);
      const secret = join(folder, 'secret');
      writeFileSync(secret, `${TREASURE}\n`);
      for (const name of readdirSync(path)) {
        const place = join(path, name);
        renameSync(place, `${place}.aside`);
        symlinkSync(secret, place);
        for (const part of ['', '/view', '/history', '/dead-letters', '/output', '/report']) {
          const response = await fetch(`${served.url}/api/v1/runs/${id}${part}`, {
            headers: { authorization: `Bearer ${served.token}` },
          });
          expect([name, part, (await response.text()).includes(TREASURE)]).toEqual([name, part, false]);
        }
        rmSync(place);
        renameSync(`${place}.aside`, place);
      }
    },
    LIMIT_MS,
  );

  it('17: by a report is a file to be saved, in a sandbox', async () => {
    const { runs } = (await served.ask('/runs?state=completed')).body as { runs: { id: string }[] };
    const response = await fetch(`${served.url}/api/v1/runs/${runs[0]?.id ?? ''}/report`, {
      headers: { authorization: `Bearer ${served.token}` },
    });
    expect(response.headers.get('content-disposition')).toMatch(/^attachment/);
    expect(response.headers.get('content-security-policy')).toBe('sandbox');
    expect(await response.text()).toContain('<html');
  });

  it('25: on secrets of the environment finds none in an answer, a file or an argument', async () => {
    const encoded = [CANARY, HOOK_SECRET].flatMap((text) => [
      text,
      encodeURIComponent(text),
      Buffer.from(text).toString('base64'),
    ]);
    const { runs } = (await served.ask('/runs')).body as { runs: { id: string }[] };
    const places = [
      ...target.paths,
      ...runs.flatMap(({ id }) => ['', '/view', '/output'].map((part) => `/api/v1/runs/${id}${part}`)),
    ];
    for (const path of places) {
      const { body } = await raw(target, requestOf(target, `GET ${path}`));
      for (const text of encoded) expect([path, body.includes(text)]).toEqual([path, false]);
    }
    const files = readdirSync(join(folder, '.millrace'), { recursive: true, withFileTypes: true }).filter((file) =>
      file.isFile(),
    );
    expect(files.length).toBeGreaterThan(5);
    for (const { parentPath, name } of files) {
      const content = readFileSync(join(parentPath, name), 'latin1');
      for (const text of encoded) expect([name, content.includes(text)]).toEqual([name, false]);
    }
  });
});
