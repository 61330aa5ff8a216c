/** Answers over HTTP that are no plain JSON in UTF-8: understood, or refused, but never changed without a word. */
import { createServer, type OutgoingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deflateRawSync, deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import axios from 'axios';
import { callUpstream } from './support/call-upstream.js';

let server: Server;
let url: string;
let answer: { status?: number; headers?: OutgoingHttpHeaders; body: string | Uint8Array };

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume();
    response
      .writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers })
      .end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const typed = (type: string): OutgoingHttpHeaders => ({ 'content-type': type });
const ZOE = '{"name":"Zoë €"}';
const inLatin1 = Buffer.from('{"name":"Zo\xeb \x80"}', 'latin1');

describe('the text of an answer', () => {
  it.each([
    ['its charset', { headers: typed('application/json; charset=iso-8859-1'), body: inLatin1 }],
    ['its charset in quotes', { headers: typed('application/json; x=1; Charset="windows-1252"'), body: inLatin1 }],
    ['a byte order mark of UTF-16', { body: Buffer.from(`\ufeff${ZOE}`, 'utf16le') }],
    ['a byte order mark before its charset', { headers: typed('text/json; charset=latin1'), body: `\ufeff${ZOE}` }],
    ['raw deflate', { headers: { 'content-encoding': 'deflate' }, body: deflateRawSync(ZOE) }],
    ['deflate', { headers: { 'content-encoding': 'deflate' }, body: deflateSync(ZOE) }],
  ])('is read by %s', async (_, given) => {
    answer = given;
    expect((await callUpstream({ url })).outputs).toEqual([{ name: 'Zoë €' }]);
  });

  it('is read by `responseEncoding` if it names no charset', async () => {
    answer = { body: inLatin1 };
    expect((await callUpstream({ url, responseEncoding: 'windows-1252' })).outputs).toEqual([{ name: 'Zoë €' }]);
  });

  it.each([
    ['bytes that are no UTF-8', { body: inLatin1 }, 'not valid UTF-8'],
    ['an unknown charset', { headers: typed('application/json; charset=klingon'), body: ZOE }, 'klingon'],
    ['a charset that does not fit', { headers: typed('application/json; charset=utf-16'), body: 'abc' }, 'utf-16le'],
  ])('is refused for %s', async (_, given, words) => {
    answer = given;
    const { letters } = await callUpstream({ url });
    expect(letters).toMatchObject([{ code: 'MILLRACE_BAD_RESPONSE', message: expect.stringContaining(words) }]);
  });

  it('may hold the replacement character itself', async () => {
    answer = { body: '{"name":"\ufffd"}' };
    expect((await callUpstream({ url })).outputs).toEqual([{ name: '\ufffd' }]);
  });
});

describe('an integer that a number cannot hold', () => {
  const LARGE = '9007199254740993';

  it.each([
    ['an id', `{"id": ${LARGE}}`],
    ['a negative one', `{"id":-${LARGE}}`],
    ['the whole answer', LARGE],
    ['the last of a list', `[1,18446744073709551615]`],
    ['one behind a string with quotes and slashes', `{"a":"\\\\\\"1234567890123456","id":${LARGE}}`],
    ['one of thirty digits', '{"id":123456789012345678901234567890}'],
  ])('refuses the answer: %s', async (_, body) => {
    answer = { body };
    const { letters } = await callUpstream({ url });
    expect(letters).toMatchObject([
      { code: 'MILLRACE_BAD_RESPONSE', attempts: 1, message: expect.stringContaining("`largeIntegers: 'text'`") },
    ]);
  });

  it.each([
    ['digits in a string', '{"id":"9007199254740993"}', { id: LARGE }],
    ['digits in a string behind a slash', '{"a":"\\\\","id":"9007199254740993"}', { a: '\\', id: LARGE }],
    ['a long fraction', '{"p":0.12345678901234567}', { p: 0.12345678901234567 }],
    ['the largest safe integer', '{"id":9007199254740991}', { id: Number.MAX_SAFE_INTEGER }],
    ['a power of two', '{"id":9007199254740992}', { id: 2 ** 53 }],
    ['an exponent', '{"n":1234567890123456e3}', { n: 1234567890123456e3 }],
  ])('is not %s', async (_, body, output) => {
    answer = { body };
    expect((await callUpstream({ url })).outputs).toEqual([output]);
  });

  it('arrives as text, or rounded, where the task says so', async () => {
    answer = { body: `{"id":${LARGE},"n":[1,${LARGE}]}` };
    expect((await callUpstream({ url, largeIntegers: 'text' })).outputs).toEqual([{ id: LARGE, n: [1, LARGE] }]);
    expect((await callUpstream({ url, largeIntegers: 'round' })).outputs).toEqual([
      { id: 9007199254740992, n: [1, 9007199254740992] },
    ]);
  });

  it('is found with an axios instance of the user', async () => {
    answer = { body: `{"id":${LARGE}}` };
    const client = axios.create({ proxy: false });
    const { letters } = await callUpstream({ url, axios: client });
    expect(letters).toMatchObject([{ code: 'MILLRACE_BAD_RESPONSE' }]);
    expect((await callUpstream({ url, axios: client, largeIntegers: 'text' })).outputs).toEqual([{ id: LARGE }]);
  });

  it('in one item of an answer to several records costs that record alone', async () => {
    answer = { body: `[{"id":1},{"id":${LARGE}},{"id":3}]` };
    const { outputs, letters } = await callUpstream({ url, batch: { max: 3 } }, ['a', 'b', 'c']);
    expect(outputs).toEqual([{ id: 1 }, { id: 3 }]);
    expect(letters).toMatchObject([{ record: 'b', code: 'MILLRACE_BAD_RESPONSE' }]);
  });

  it('is quoted in the message of a status, and is no other error', async () => {
    answer = { status: 404, body: `{"id":${LARGE}}` };
    expect((await callUpstream({ url })).letters).toMatchObject([{ code: 'MILLRACE_HTTP_STATUS' }]);
  });
});

describe('an empty body', () => {
  it.each(['POST', 'GET', 'PUT', 'DELETE'])('is no answer to %s', async (method) => {
    answer = { body: '' };
    const { letters } = await callUpstream({ url, method });
    expect(letters).toMatchObject([
      { code: 'MILLRACE_BAD_RESPONSE', attempts: 1, message: expect.stringContaining("set `responseType: 'text'`") },
    ]);
  });

  it.each([
    ['status 204', { status: 204 }, {}],
    ['text', {}, { responseType: 'text' as const }],
    ['HEAD', {}, { method: 'HEAD' }],
  ])('is one with %s', async (_, given, options) => {
    answer = { ...given, body: '' };
    expect((await callUpstream({ url, ...options })).outputs).toEqual(['']);
  });
});
