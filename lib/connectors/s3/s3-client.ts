/**
 * Requests to an object store: signed, repeated after temporary errors, and with errors in one sentence.
 *
 * Guarantees: a request that fails because of the network, or because the store is temporarily unable to answer, is
 * repeated for about twenty seconds. Each operation that is used here may be repeated. Connections end by themselves
 * when they are idle.
 */
import { Agent as PlainAgent, request as requestPlain, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as SecureAgent, request as requestSecure } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { MillraceError } from '../../connect/values.js';
import { messageOf } from '../../connect/files.js';
import type { S3Settings } from './s3-settings.js';
import { encoded, queryText, signedHeaders } from './signature.js';
import { textOf } from './xml.js';

/** An object, or a bucket if there is no key. */
export interface S3Name {
  readonly bucket: string;
  readonly key: string;
}

/** One request. */
export interface S3Request extends S3Name {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly query?: Readonly<Record<string, string>>;
  /** Names are in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An answer of success. Its body must be read or dropped. */
export interface S3Answer {
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: IncomingMessage;
}

/** A refusal of the store, or a failure to reach it. */
export class S3Error extends Error {
  /** The status of HTTP; 0 if there was no answer. */
  readonly status: number;
  /** The code of the store, such as `NoSuchKey`; '' if it has sent none. */
  readonly code: string;
  /** The region of the bucket, if the store has named it. */
  readonly region: string | undefined;

  constructor(
    message: string,
    { status, code, region, cause }: { status: number; code: string; region?: string | undefined; cause?: unknown },
  ) {
    super(message, { cause });
    this.name = 'S3Error';
    this.status = status;
    this.code = code;
    this.region = region;
  }
}

/** A connection without traffic for this time is replaced, even if the reader is the cause. */
const SILENT_MS = 120_000;
const IDLE_SOCKETS = 8;
const ATTEMPTS = 10;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 8000;
/** Error codes with which a store asks for a repetition. The status alone does not show it. */
const REPEATED = new Set(['SlowDown', 'RequestTimeout', 'InternalError', 'ServiceUnavailable', 'OperationAborted']);

export class S3Client {
  private readonly settings: S3Settings;
  private readonly plain = new PlainAgent({ keepAlive: true, maxFreeSockets: IDLE_SOCKETS });
  private readonly secure = new SecureAgent({ keepAlive: true, maxFreeSockets: IDLE_SOCKETS });

  constructor(settings: S3Settings) {
    this.settings = settings;
  }

  /** Sends the request until it is answered. Throws S3Error for a refusal, and if the store cannot be reached. */
  send(request: S3Request): Promise<S3Answer> {
    return repeated(request.signal, () => this.attempt(request));
  }

  /** Like `send`, for an answer of text. An error inside an answer of success is thrown as well. */
  text(request: S3Request): Promise<{ readonly text: string; readonly headers: S3Answer['headers'] }> {
    return repeated(request.signal, async () => {
      const { body, headers } = await this.attempt(request);
      const text = (await bytesOf(body)).toString();
      if (/^(?:<\?xml[^>]*>\s*)?<Error>/.test(text.trimStart())) throw refusal(200, headers, text);
      return { text, headers };
    });
  }

  private async attempt({ method, bucket, key, query = {}, headers = {}, body, signal }: S3Request): Promise<S3Answer> {
    const { settings } = this;
    const place = settings.placeOf(bucket);
    const path = `${place.path}/${key.split('/').map(encoded).join('/')}`;
    const at = new Date();
    const credentials = await settings.credentials(at.getTime());
    const unsigned = { method, host: place.host, path, query, headers, body };
    const text = queryText(query);
    const response = await this.exchange(
      place.origin,
      {
        path: text === '' ? path : `${path}?${text}`,
        method,
        headers: signedHeaders(unsigned, { credentials, region: settings.region, at }),
        ...(signal === undefined ? {} : { signal }),
      },
      body,
    );
    const answered = Object.fromEntries(
      Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
    );
    const { statusCode: status = 0 } = response;
    if (status < 300) return { headers: answered, body: response };
    throw refusal(status, answered, (await bytesOf(response)).toString());
  }

  private exchange(origin: string, options: RequestOptions, body: Uint8Array | undefined): Promise<IncomingMessage> {
    const { protocol, hostname, port } = new URL(origin);
    const isSecure = protocol === 'https:';
    const host = hostname.replace(/^\[|\]$/g, '');
    const all = { ...options, host, port, agent: isSecure ? this.secure : this.plain };
    return new Promise((resolve, reject) => {
      const request = (isSecure ? requestSecure : requestPlain)(all, resolve);
      request.setTimeout(SILENT_MS, () => request.destroy(new Error(`nothing came for ${SILENT_MS / 1000} s`)));
      request.on('error', (error) => {
        reject(unreachable(error));
      });
      request.end(body);
    });
  }
}

/** All bytes of an answer. Throws S3Error if the connection breaks. */
export async function bytesOf(body: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of body) chunks.push(chunk as Buffer);
  } catch (error) {
    throw unreachable(error);
  }
  return Buffer.concat(chunks);
}

/** The error of a failed action on a path. Returns an error of millrace as it is. */
export function s3Failure(action: 'read' | 'write', path: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return new MillraceError('MILLRACE_FILE', `Cannot ${action} ${path}: ${reasonOf(action, error)}`, { cause: error });
}

function reasonOf(action: 'read' | 'write', error: unknown): string {
  if (!(error instanceof S3Error)) return messageOf(error);
  const { status, code, region, message } = error;
  if (code === 'NoSuchBucket') return 'there is no such bucket; check its name';
  if (status === 404) return 'there is no such object; check the bucket and the name';
  if (region !== undefined) return `the bucket is in the region ${region}; set \`region\` or AWS_REGION to it`;
  if (code === 'SignatureDoesNotMatch') return 'the signature is wrong; check the secret access key';
  if (code === 'InvalidAccessKeyId') return 'the access key is unknown; check the credentials';
  if (code === 'ExpiredToken') return 'the credentials have expired; pass a function that returns new ones';
  if (status === 403) return `access is denied; check the credentials, and that they may ${action} this object`;
  if (status === 0) return `the store cannot be reached (${message}); check the endpoint`;
  return `the store answers ${status} ${code}: ${message}`;
}

async function repeated<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted === true || attempt === ATTEMPTS) throw error;
      if (!(error instanceof S3Error) || !mayHelp(error)) throw error;
      await delay(delayAfter(attempt), undefined, signal === undefined ? {} : { signal });
    }
  }
}

function mayHelp({ status, code }: S3Error): boolean {
  return status === 0 || status === 429 || status >= 500 || REPEATED.has(code);
}

function delayAfter(attempt: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
}

function unreachable(error: unknown): S3Error {
  const [inner = error] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  return new S3Error(messageOf(inner), { status: 0, code: '', cause: error });
}

function refusal(status: number, headers: S3Answer['headers'], xml: string): S3Error {
  const code = textOf(xml, 'Code') ?? '';
  const isElsewhere = status === 301 || status === 307 || code === 'AuthorizationHeaderMalformed';
  const region = isElsewhere ? (headers['x-amz-bucket-region'] ?? textOf(xml, 'Region')) : undefined;
  return new S3Error(textOf(xml, 'Message') ?? '', { status, code, region });
}
