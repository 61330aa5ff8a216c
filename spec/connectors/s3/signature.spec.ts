/** Signatures of requests: the examples that AWS documents for S3. */
import { expect, it } from '@jest/globals';
import { encoded, signedHeaders } from '#lib/connectors/s3/signature.js';
import { escaped, textOf } from '#lib/connectors/s3/xml.js';

const signing = {
  credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
  region: 'us-east-1',
  at: new Date('2013-05-24T00:00:00Z'),
};
const host = 'examplebucket.s3.amazonaws.com';
const body = Buffer.from('Welcome to Amazon S3.');
const date = 'Fri, 24 May 2013 00:00:00 GMT';

it.each([
  [
    'of an object',
    { method: 'GET', host, path: '/test.txt', query: {}, headers: { range: 'bytes=0-9' }, body: undefined },
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ],
  [
    'with a body',
    {
      ...{ method: 'PUT', host, path: `/${encoded('test$file.text')}`, query: {}, body },
      headers: { date, 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
    },
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  ],
  [
    'with a query',
    { method: 'GET', host, path: '/', query: { prefix: 'J', 'max-keys': '2' }, headers: {}, body: undefined },
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  ],
  [
    'with an empty value',
    { method: 'GET', host, path: '/', query: { lifecycle: '' }, headers: {}, body: undefined },
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  ],
])('a request %s has the signature of the example', (_, request, signature) => {
  expect(signedHeaders(request, signing)['authorization']).toMatch(new RegExp(`, Signature=${signature}$`));
});

it('a text survives as the content of an element', () => {
  const text = `"a" & <b> ' &amp; é`;
  expect(textOf(`<Key>${escaped(text)}</Key>`, 'Key')).toBe(text);
});
