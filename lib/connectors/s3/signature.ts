/**
 * Signs requests with Signature Version 4 of AWS, as the service `s3` expects it.
 *
 * Guarantees: the path is signed as it is sent. The hash of the body is signed, so a body that is damaged on its way is
 * refused. Checked against the examples of AWS and against another implementation.
 */
import { createHash, createHmac } from 'node:crypto';
import type { S3Credentials } from './s3-settings.js';

/** A request without its signature. */
export interface UnsignedRequest {
  readonly method: string;
  readonly host: string;
  /** The path in its encoded form. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Names are in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/** The values besides the request that the signature depends on. */
export interface Signing {
  readonly credentials: S3Credentials;
  readonly region: string;
  readonly at: Date;
}

/** The headers of the request, with those of the signature. */
export function signedHeaders(request: UnsignedRequest, { credentials, region, at }: Signing): Record<string, string> {
  const time = at.toISOString().replace(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const payload = sha256(request.body ?? '');
  const { sessionToken } = credentials;
  const headers: Record<string, string> = {
    ...request.headers,
    host: request.host,
    'x-amz-content-sha256': payload,
    'x-amz-date': time,
    ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
  };
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${(headers[name] as string).trim().replace(/ +/g, ' ')}\n`).join('');
  const signed = names.join(';');
  const canonical = [request.method, request.path, queryText(request.query), lines, signed, payload].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce<Buffer>(
    hmac,
    Buffer.from(`AWS4${credentials.secretAccessKey}`),
  );
  const signature = hmac(key, toSign).toString('hex');
  const { accessKeyId } = credentials;
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`,
  };
}

/** The query as it is sent and signed: encoded, and sorted by name. */
export function queryText(query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
  return pairs.sort().join('&');
}

/** Encodes all characters but those that RFC 3986 calls unreserved. */
export function encoded(text: string): string {
  const code = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/[!'()*]/g, code);
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
