/** Requests that pass axios by: the same results, errors and bytes on the wire as with axios. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import axios from 'axios';
import fc from 'fast-check';
import '../../support/same-seeds.js';
import { oneServer, type Answer, type OneServer } from './support/both-ways.js';

let server: OneServer;
let elsewhere: OneServer;
let answers: Readonly<Record<string, Answer>> = {};

beforeAll(async () => {
  const dispatch: Answer = (request, response, visit) => {
    const name = decodeURIComponent((request.url ?? '').slice(1).replace(/\?.*/, ''));
    (answers[name] ?? PLAIN)(request, response, visit);
  };
  server = await oneServer(dispatch);
  elsewhere = await oneServer(dispatch);
});

afterAll(async () => {
  await server.stop();
  await elsewhere.stop();
});

afterEach(() => {
  answers = {};
});

type Headers = Readonly<Record<string, string>>;

const reply =
  (status: number, body: string | Uint8Array = '', headers: Headers = {}): Answer =>
  (_, response) => {
    response.writeHead(status, headers).end(body);
  };
const json = (body: string | Uint8Array, headers: Headers = {}): Answer =>
  reply(200, body, { 'content-type': 'application/json', ...headers });
const PLAIN = json('{"plain":true}');
const first =
  (one: Answer, then: Answer = PLAIN): Answer =>
  (request, response, visit) => {
    (visit === 1 ? one : then)(request, response, visit);
  };
const redirect = (status: number, location: string): Answer => reply(status, 'moved', { location });
const reset: Answer = ({ socket }) => socket.destroy();
const resetInBody: Answer = ({ socket }, response) => {
  response.writeHead(200, { 'content-length': '100' }).write('{"a":', () => socket.destroy());
};
const inChunks =
  (chunk: string, count: number): Answer =>
  (_, response) => {
    for (let sent = 0; sent < count; sent++) response.write(chunk);
    response.end();
  };

const MOST = 20_000;
const LARGE = '{"id":9007199254740993}';
const TABLE: Readonly<Record<string, Answer>> = {
  plain: PLAIN,
  created: reply(201, '[1,2,3]'),
  'no content': reply(204),
  empty: json(''),
  'a number': json('42'),
  text: json('"text"'),
  null: json('null'),
  'a byte order mark': json('\ufeff{"a":1}'),
  'broken JSON': json('{"a":'),
  'no JSON': json('<html>'),
  'several headers of one name': (_, response) => {
    response.setHeader('set-cookie', ['a=1', 'b=2']).end('{}');
  },
  'UTF-16': json(Buffer.from('\ufeff{"a":"é"}', 'utf16le')),
  'Latin-1 that it names': json(Buffer.from('{"a":"é"}', 'latin1'), { 'content-type': 'text/json; charset=latin1' }),
  'Latin-1 that it does not name': json(Buffer.from('{"a":"é"}', 'latin1')),
  'an unknown charset': json('{}', { 'content-type': 'text/json; charset=klingon' }),
  gzip: json(gzipSync('{"a":1}'), { 'content-encoding': 'gzip' }),
  deflate: json(deflateSync('{"a":1}'), { 'content-encoding': 'deflate' }),
  'raw deflate': json(deflateRawSync('{"a":1}'), { 'content-encoding': 'deflate' }),
  brotli: json(brotliCompressSync('{"a":1}'), { 'content-encoding': 'br' }),
  twice: json(brotliCompressSync(gzipSync('{"a":1}')), { 'content-encoding': 'gzip, br' }),
  'no gzip': json('{"a":1}', { 'content-encoding': 'gzip' }),
  'an unknown encoding': json('{"a":1}', { 'content-encoding': 'zip' }),
  'a bomb': json(gzipSync(' '.repeat(MOST + 1)), { 'content-encoding': 'gzip' }),
  'a compressed error': reply(400, gzipSync('{"why":"no"}'), { 'content-encoding': 'gzip' }),
  'a compressed broken body': json(gzipSync('{"a":'), { 'content-encoding': 'gzip' }),
  'a large integer': json(LARGE),
  'not modified': reply(304),
  'a redirect to nowhere': reply(302, '{}'),
  'bad request': reply(400, '{"why":"no"}'),
  'not found': reply(404, 'nothing here'),
  conflict: reply(409, LARGE),
  'not implemented': reply(501, '{}'),
  'busy once': first(reply(503, 'busy', { 'retry-after': '0' })),
  'too many once': first(reply(429, '{}', { 'retry-after': '0' })),
  'failed twice': reply(500, '{"error":"again"}'),
  'reset once': first(reset),
  'reset in the body once': first(resetInBody),
  'reset twice': reset,
  'exactly the limit': json(`"${'x'.repeat(MOST - 2)}"`),
  'above the limit, announced': json(`"${'x'.repeat(MOST)}"`),
  'above the limit, in chunks': inChunks('x'.repeat(5_000), 5),
  'in chunks': (_, response) => {
    response.write('{"a":');
    setImmediate(() => response.end('1}'));
  },
  'see other': redirect(303, '/plain'),
  found: redirect(302, '/plain?x=1'),
  temporary: redirect(307, '/plain'),
  permanent: redirect(308, '/gzip'),
  'a redirect to an error': redirect(307, '/bad%20request'),
  'a loop': redirect(302, '/a%20loop'),
  'a redirect to a file': redirect(302, 'file:///etc/hostname'),
  'a redirect to an empty body': redirect(307, '/empty'),
};
const NAMES = Object.keys(TABLE);

/** The first record shows axios the requests of the task. */
const after = (names: readonly string[]): readonly { name: string }[] => ['plain', ...names].map((name) => ({ name }));

describe('a prepared request', () => {
  it.each([
    ['POST', {}],
    [
      'PUT with headers',
      { method: 'PUT', headers: { 'X-Api-Key': 'k', accept: 'application/json', 'X-Number': 5 as never } },
    ],
    ['GET', { method: 'GET' }],
    ['HEAD', { method: 'HEAD' }],
    ['other names of headers', { idempotencyKey: 'x-key', correlationId: false as const, trace: false }],
    ['an answer as text', { responseType: 'text' as const }],
    ['POST without redirects', { maxRedirects: 0 }],
  ])('has the results of axios for every answer: %s', async (_, options) => {
    answers = TABLE;
    const url = `${server.url}/{name}?n=1`;
    const {
      prepared,
      axios: through,
      axiosSaw,
    } = await server.bothWays({ url, maxResponseBytes: MOST, ...options }, after(NAMES));
    expect(prepared).toEqual(through);
    expect(prepared.seen.length).toBeGreaterThan(NAMES.length);
    expect(axiosSaw.prepared).toBeLessThan(axiosSaw.axios);
  });

  it('leaves plain successes to undici: axios sees the first request only', async () => {
    const records = Array.from({ length: 20 }, (_, n) => ({ n }));
    const { prepared, axios: through, axiosSaw } = await server.bothWays({ url: server.url }, records);
    expect(prepared).toEqual(through);
    expect(axiosSaw).toEqual({ prepared: 1, axios: 20 });
  });

  it('waits for no answer: axios sees one request of those that start together', async () => {
    const held: (() => void)[] = [];
    answers = {
      held: (_, response) => {
        held.push(() => response.end('{}'));
        if (held.length === 20) for (const release of held.splice(0)) release();
      },
    };
    const records = Array.from({ length: 20 }, (_, n) => ({ n }));
    const options = { url: `${server.url}/held`, concurrency: 20 };
    const { prepared, axios: through, axiosSaw } = await server.bothWays(options, records);
    expect(prepared).toEqual(through);
    expect(prepared.outputs).toHaveLength(20);
    expect(axiosSaw).toEqual({ prepared: 1, axios: 20 });
  });

  it('does not wait behind records that cannot fill the URL', async () => {
    const names = ['..', '..', 'plain', 'plain', '..', 'plain'];
    const options = { url: `${server.url}/{name}`, concurrency: 6 };
    const run = await server.bothWays(
      options,
      names.map((name) => ({ name })),
    );
    expect(run.prepared).toEqual(run.axios);
    expect(run.prepared.letters).toHaveLength(3);
    expect(run.prepared.outputs).toHaveLength(3);
    expect(run.axiosSaw.prepared).toBe(1);
  });

  it('becomes the first where the first one fails before it is sent', async () => {
    const { defaults } = axios;
    const { transformRequest: before } = defaults;
    defaults.transformRequest = function transformRequest(data: unknown) {
      if (this.url?.endsWith('/refused') === true) throw new TypeError('not this one');
      return data;
    };
    try {
      const names = ['refused', 'plain', 'plain', 'plain', 'plain'];
      const options = { url: `${server.url}/{name}`, method: 'GET' as const, concurrency: 5, retry: false as const };
      const run = await server.bothWays(
        options,
        names.map((name) => ({ name })),
      );
      expect(run.prepared).toEqual(run.axios);
      expect(run.prepared.letters).toHaveLength(1);
      expect(run.prepared.seen).toHaveLength(4);
      expect(run.axiosSaw).toEqual({ prepared: 2, axios: 5 });
    } finally {
      if (before !== undefined) defaults.transformRequest = before;
    }
  });

  it('has one header of each name, in whatever capitals one is given', async () => {
    const headers = { 'Idempotency-Key': 'mine', 'X-Correlation-ID': 'mine', TraceParent: 'mine', 'X-Other': 'kept' };
    const run = await server.bothWays({ url: server.url, headers }, [1, 2, 3]);
    expect(run.prepared).toEqual(run.axios);
    expect(run.prepared.seen).toHaveLength(3);
    for (const { headers: seen } of run.prepared.seen) {
      expect(seen['x-other']).toBe('kept');
      for (const name of ['idempotency-key', 'x-correlation-id', 'traceparent']) {
        expect(seen[name]).toEqual(expect.not.stringContaining('mine'));
      }
    }
  });

  it('takes no credentials along when a redirect crosses origins', async () => {
    answers = { away: redirect(307, `${elsewhere.url}/plain`) };
    const url = `${server.url.replace('//', '//user:pass%25@')}/{name}`;
    const options = { url, headers: { 'x-api-key': 'k', cookie: 'a=1', Authorization: 'Bearer x' } };
    const there = await elsewhere.bothWays(options, after(['away', 'plain', 'away']));
    expect(there.prepared).toEqual(there.axios);
    const arrived = there.prepared.seen;
    expect(arrived).toHaveLength(2);
    for (const { headers } of arrived) {
      for (const name of ['authorization', 'cookie', 'x-api-key']) expect(headers).not.toHaveProperty(name);
    }
    const here = await server.bothWays(options, after(['plain']));
    expect(here.prepared).toEqual(here.axios);
    expect(here.prepared.seen[1]).toMatchObject({ headers: { authorization: 'Basic dXNlcjpwYXNzJQ==' } });
  });

  it('splits the answer to several records, and their errors, as axios does', async () => {
    let turn = 0;
    answers = {
      batch: (_, response) => {
        const bodies = ['[1,{"error":"no"}]', '[1]', '{}', `[1,${LARGE}]`, '[', '[3,4]'];
        response.end(bodies[turn++ % bodies.length]);
      },
    };
    const options = { url: `${server.url}/batch`, batch: { max: 2 }, retry: false as const };
    const run = await server.bothWays(options, [...Array(12).keys()]);
    expect(run.prepared).toEqual(run.axios);
    expect(run.prepared.letters).not.toEqual([]);
  });

  it('that takes too long closes its connection, before its answer and within it', async () => {
    let closed = 0;
    const hang: Answer = ({ socket }) => {
      socket.once('close', () => closed++);
    };
    const hangInBody: Answer = ({ socket }, response) => {
      socket.once('close', () => closed++);
      response.writeHead(200, { 'content-length': '9' }).write('{');
    };
    answers = { hang: first(hang), body: first(hangInBody) };
    const options = { url: `${server.url}/{name}`, timeoutMs: 1000 };
    const run = await server.bothWays(options, after(['hang', 'body']));
    expect(run.prepared).toEqual(run.axios);
    expect(run.prepared.outputs).toHaveLength(3);
    expect(run.axiosSaw.prepared).toBe(1);
    expect(closed).toBe(4);
  });

  it('goes through the proxy of the task', async () => {
    const options = { url: 'http://upstream.example/a?b=1', proxy: elsewhere.url.replace('//', '//user:secret@') };
    const run = await elsewhere.bothWays(options, [1, 2, 3]);
    expect(run.prepared).toEqual(run.axios);
    expect(run.axiosSaw.prepared).toBe(1);
    expect(run.prepared.seen).toHaveLength(3);
    expect(run.prepared.seen[2]).toMatchObject({
      path: 'http://upstream.example/a?b=1',
      headers: { host: 'upstream.example', 'proxy-authorization': 'Basic dXNlcjpzZWNyZXQ=' },
    });
  });

  it('has a body of serialized JSON; others go through axios', async () => {
    const bodies = [{ a: 1 }, 'text', null, new URLSearchParams('a=1'), Buffer.from('bytes'), [1], undefined, { b: 2 }];
    const options = { url: server.url, body: (index: unknown) => bodies[index as number] };
    const run = await server.bothWays(options, [...bodies.keys()]);
    expect(run.prepared).toEqual(run.axios);
    expect(run.axiosSaw.prepared).toBe(4);
    expect(run.prepared.letters).toEqual([]);
  });

  it('fails for a record that cannot fill the URL, or that JSON cannot represent', async () => {
    const records = [{ name: 'plain' }, { name: '..' }, {}, { name: 'plain', big: 1n }, { name: 'plain' }];
    const run = await server.bothWays({ url: `${server.url}/{name}` }, records);
    expect(run.prepared).toEqual(run.axios);
    expect(run.prepared.letters).toHaveLength(3);
  });

  it('shows no credentials of a URL in the letter of a record that would lead elsewhere', async () => {
    const url = `${server.url.replace('//', '//user:s3cret@')}/{name}?token=t0ken`;
    const run = await server.bothWays({ url }, [{ name: '..' }]);
    const letters = JSON.stringify([run.prepared.letters, run.axios.letters]);
    expect(letters).toContain('lead elsewhere');
    expect(letters).not.toMatch(/s3cret|t0ken/);
  });

  it('is not sent while a default of axios that the user has changed must see each request', async () => {
    const { defaults } = axios;
    const { transformRequest } = defaults;
    let seen = 0;
    defaults.transformRequest = [transformRequest ?? []].flat().concat((data: unknown) => {
      seen++;
      return data;
    });
    try {
      for (const concurrency of [1, 3]) {
        const run = await server.bothWays({ url: server.url, method: 'GET', concurrency }, [1, 2, 3]);
        expect(run.prepared).toEqual(run.axios);
        expect(run.axiosSaw.prepared).toBe(3);
      }
      expect(seen).toBe(12);
    } finally {
      if (transformRequest !== undefined) defaults.transformRequest = transformRequest;
    }
  });

  it('is read by a function of the user that has the name of the one of axios', async () => {
    const { defaults } = axios;
    const { transformResponse: before } = defaults;
    const transformResponse = (data: unknown): unknown => ({ own: data });
    defaults.transformResponse = [transformResponse];
    try {
      const run = await server.bothWays({ url: server.url, method: 'GET' }, [1, 2, 3]);
      expect(run.prepared).toEqual(run.axios);
      expect(run.prepared.outputs).toHaveLength(3);
      expect(run.prepared.outputs).toContainEqual({ own: '{"plain":true}' });
    } finally {
      if (before !== undefined) defaults.transformResponse = before;
    }
  });

  it('has the results of axios for any answers', async () => {
    const body = fc.oneof(
      fc.json().map((text) => Buffer.from(text)),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    );
    const encode = fc.constantFrom<[string | undefined, (bytes: Buffer) => Buffer]>(
      [undefined, (bytes) => bytes],
      ['gzip', (bytes) => gzipSync(bytes)],
      ['br', (bytes) => brotliCompressSync(bytes)],
      ['deflate', (bytes) => bytes],
    );
    const type = fc.constantFrom(undefined, 'application/json', 'text/plain; charset=utf-16le', 'a/b; charset=latin1');
    const status = fc.constantFrom(200, 200, 200, 201, 204, 304, 400, 404, 500, 503);
    const answer = fc.record({ body, encode, type, status });
    await fc.assert(
      fc.asyncProperty(fc.array(answer, { minLength: 1, maxLength: 12 }), async (drawn) => {
        answers = Object.fromEntries(
          drawn.map(({ body: bytes, encode: [encoding, pack], type: contentType, status: code }, index) => [
            String(index),
            reply(code, code === 204 || code === 304 ? '' : pack(bytes), {
              ...(contentType === undefined ? {} : { 'content-type': contentType }),
              ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
            }),
          ]),
        );
        const records = ['plain', ...drawn.keys()].map((name) => ({ name }));
        const run = await server.bothWays({ url: `${server.url}/{name}` }, records);
        expect(run.prepared).toEqual(run.axios);
      }),
      { numRuns: 25 },
    );
  });
});
