/**
 * Bodies that are neither text nor bytes, as undici sends them: forms, blobs and streams.
 *
 * Guarantees: a form or a blob is sent with its own content type, boundary included, as axios does. The error of a
 * stream that fails blames the record, not the upstream.
 */
import { PassThrough, Readable } from 'node:stream';
import { types } from 'node:util';
import { MillraceError, UpstreamError, describeThrown, describeValue } from '../../connect/index.js';

export interface WireBody {
  readonly body: Uint8Array | Readable;
  /** The content type of the body, if it has one. */
  readonly type?: string | undefined;
  /** Whether it replaces a content type that was given, because it has a boundary. */
  readonly isTypeFixed: boolean;
}

/** A form of the `form-data` package, which axios makes of an object for multipart/form-data. */
interface LegacyForm {
  getHeaders(): Record<string, string>;
  pipe(into: PassThrough): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export async function wireBody(data: unknown): Promise<WireBody> {
  if (types.isAnyArrayBuffer(data)) return bytes(new Uint8Array(data));
  if (ArrayBuffer.isView(data)) return bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  if (data instanceof FormData || data instanceof URLSearchParams) {
    const encoded = new Response(data);
    const type = encoded.headers.get('content-type') ?? undefined;
    return { body: new Uint8Array(await encoded.arrayBuffer()), type, isTypeFixed: data instanceof FormData };
  }
  if (data instanceof Blob) {
    const type = data.type === '' ? 'application/octet-stream' : data.type;
    return { body: new Uint8Array(await data.arrayBuffer()), type, isTypeFixed: false };
  }
  if (data instanceof ReadableStream) return stream(Readable.fromWeb(data));
  if (isLegacyForm(data)) {
    const into = new PassThrough();
    data.on('error', (error) => into.destroy(error));
    data.pipe(into);
    return { ...stream(into), type: data.getHeaders()['content-type'], isTypeFixed: true };
  }
  if (data instanceof Readable) return stream(data);
  throw new MillraceError(
    'MILLRACE_TASK',
    `Expected a body to be text, bytes, a form, a blob or a stream, got ${describeValue(data)}`,
  );
}

function isLegacyForm(data: unknown): data is LegacyForm {
  return (
    typeof data === 'object' &&
    data !== null &&
    'getHeaders' in data &&
    typeof data.getHeaders === 'function' &&
    'pipe' in data
  );
}

function bytes(body: Uint8Array): WireBody {
  return { body, type: 'application/octet-stream', isTypeFixed: false };
}

function stream(body: Readable): WireBody {
  const { destroyed } = body;
  if (destroyed) {
    throw new MillraceError(
      'MILLRACE_TASK',
      'The body is a stream that was read or closed before. `body` must return a new stream for each attempt',
    );
  }
  // The error of the stream becomes the error of the request, so it must show that the upstream is not to blame.
  const guarded = new PassThrough();
  body.on('error', (cause) => {
    guarded.destroy(
      new UpstreamError('MILLRACE_TASK', `The stream of the body failed: ${describeThrown(cause)}`, {
        cause,
        blame: 'record',
      }),
    );
  });
  guarded.on('close', () => body.destroy());
  body.pipe(guarded);
  return { body: guarded, type: 'application/octet-stream', isTypeFixed: false };
}
