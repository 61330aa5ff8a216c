/** Bodies of requests that are no JSON: sent as plain axios sends them, or refused before anything is sent. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import axios from 'axios';
import { undiciAdapter } from '#lib/connectors/http/index.js';
import { callUpstream } from './support/call-upstream.js';

let server: Server;
let url: string;
let failures = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/away') {
        response.writeHead(307, { location: '/' }).end();
        return;
      }
      if (failures-- > 0) {
        response.writeHead(503).end();
        return;
      }
      const type = request.headers['content-type'] ?? 'none';
      const body = Buffer.concat(chunks).toString('latin1');
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ type, body }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

interface Sent {
  readonly type: string;
  readonly body: string;
}

const form = (): FormData => {
  const data = new FormData();
  data.set('a', '1');
  data.set('file', new Blob(['hello'], { type: 'text/csv' }), 'x.csv');
  return data;
};
const send = async (body: () => unknown, more = {}): Promise<Sent> => {
  const { outputs, letters } = await callUpstream({ url, body, ...more });
  expect(letters).toEqual([]);
  return outputs[0] as Sent;
};
/** The boundary of a multipart body is random. */
const withoutBoundary = ({ type, body }: Sent): Sent => {
  const boundary = /boundary="?([^";]+)/.exec(type)?.[1] ?? '-';
  return { type: type.replace(boundary, 'B'), body: body.replaceAll(boundary, 'B').toLowerCase() };
};

describe('a body', () => {
  it.each([
    ['URLSearchParams', () => new URLSearchParams({ a: '1', b: 'x y' })],
    ['FormData', form],
    ['a Blob with a type', () => new Blob(['a,b'], { type: 'text/csv' })],
    ['a Blob without one', () => new Blob(['a,b'])],
  ])('that is %s arrives as from plain axios', async (_, body) => {
    const plain = (await axios.post<Sent>(url, body(), { proxy: false })).data;
    const wanted = withoutBoundary(plain);
    const came = withoutBoundary(await send(body));
    // Both forms end with a line end, or neither.
    expect({ ...came, body: came.body.trim() }).toEqual({ ...wanted, body: wanted.body.trim() });
  });

  it.each([
    ['URLSearchParams', () => new URLSearchParams({ a: '1' }), 'application/x-www-form-urlencoded', 'a=1'],
    ['FormData', form, 'multipart/form-data', 'hello'],
  ])('that is %s arrives also with axios instances of the user', async (_, body, type, part) => {
    const adapter = undiciAdapter();
    for (const client of [axios.create({ proxy: false }), axios.create({ adapter })]) {
      const came = await send(body, { axios: client });
      expect(came.type).toContain(type);
      expect(came.body).toContain(part);
    }
    await adapter.close();
  });

  it.each([
    ['a Node stream', () => Readable.from([Buffer.from('ab'), Buffer.from('cd')])],
    ['a web stream', () => new Blob(['abcd']).stream()],
  ])('that is %s is sent, and again by another attempt', async (_, body) => {
    failures = 1;
    expect(await send(body)).toEqual({ type: 'application/octet-stream', body: 'abcd' });
    expect(await send(body, { headers: { 'content-type': 'text/csv' } })).toEqual({ type: 'text/csv', body: 'abcd' });
  });

  it.each([
    ['an object, as a form', 'application/x-www-form-urlencoded', { a: 1, b: 'x y' }, 'a=1&b=x+y'],
    ['an object, in parts', 'multipart/form-data', { a: 1 }, 'name="a"'],
    ['text', 'text/plain', 'hello', 'hello'],
    ['XML', 'application/xml', '<a/>', '<a/>'],
    ['bytes', 'application/octet-stream', Buffer.from([255, 0, 1]), '\xff\x00\x01'],
    ['a view of bytes', 'application/octet-stream', new Uint8Array([9, 65, 66, 9]).subarray(1, 3), 'AB'],
    ['a view of numbers', 'application/octet-stream', new Uint16Array([0x4241]), 'AB'],
  ])('is %s where the headers say so', async (_, type, body, part) => {
    const came = await send(() => body, { headers: { 'Content-Type': type } });
    expect(came.type).toContain(type);
    expect(came.body).toContain(part);
    expect(came.body).not.toContain('\t');
  });

  it.each([
    ['a promise', () => Promise.resolve({ a: 1 }), 'a promise'],
    ['a Map', () => new Map([['a', 1]]), 'Object.fromEntries'],
    ['a Set', () => new Set([1]), '[...set]'],
  ])('that is %s is refused before anything is sent', async (_, body, words) => {
    const { letters } = await callUpstream({ url, body });
    expect(letters).toMatchObject([{ code: 'MILLRACE_TASK', attempts: 1, message: expect.stringContaining(words) }]);
  });

  it.each([
    ['FormData', form],
    ['bytes', () => Buffer.from('a')],
    ['a Blob', () => new Blob(['a'])],
  ])('of several records cannot hold %s, which costs that record alone', async (_, odd) => {
    const { letters, failure } = await callUpstream(
      { url, batch: { max: 3 }, body: (record) => (record === 2 ? odd() : record), retry: false },
      [1, 2, 3],
    );
    expect(failure).toBeUndefined();
    expect(letters.find(({ record }) => record === 2)).toMatchObject({
      code: 'MILLRACE_TASK',
      message: expect.stringContaining('a request for several records is JSON'),
    });
  });

  it('that is a stream which fails blames the record, and a stream that was used is refused', async () => {
    const broken = (): Readable =>
      Readable.from(
        (async function* () {
          yield Buffer.from('a');
          await Promise.resolve();
          throw new Error('no disk');
        })(),
      );
    const failed = await callUpstream({ url, body: broken });
    expect(failed.letters).toMatchObject([{ code: 'MILLRACE_TASK', message: expect.stringContaining('no disk') }]);
    const once = Readable.from(['a']);
    once.destroy();
    const used = await callUpstream({ url, body: () => once });
    expect(used.letters).toMatchObject([{ message: expect.stringContaining('a new stream for each attempt') }]);
  });

  it('that is a form follows a redirect, and a stream says that it cannot', async () => {
    const away = `${url}away`;
    const came = await callUpstream({ url: away, body: form });
    expect((came.outputs[0] as Sent).body).toContain('hello');
    const stream = await callUpstream({ url: away, body: () => Readable.from(['a']) });
    expect(stream.letters).toMatchObject([{ message: expect.stringContaining('can be sent only once') }]);
  });
});
