/**
 * JSON bodies, serialized once and before anything is sent.
 *
 * Guarantees: a value that JSON cannot represent is recognised before the request, not guessed from its failure.
 */
import type { AxiosRequestTransformer } from 'axios';
import { describeValue } from '../../connect/index.js';

/** Throws what JSON.stringify throws, and a TypeError for a function or a symbol. */
export function writeJson(body: unknown): string {
  // Its type does not show that stringify may return undefined.
  const text = JSON.stringify(body) as string | undefined;
  if (text === undefined) throw new TypeError(`JSON cannot represent ${describeValue(body)}`);
  return text;
}

/** Whether a body is sent as JSON. axios sends bytes, streams and forms in other ways. */
export function isForJson(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return body !== undefined;
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body) || body instanceof Blob) return false;
  if (body instanceof FormData || body instanceof URLSearchParams || body instanceof ReadableStream) return false;
  return !('pipe' in body && typeof body.pipe === 'function');
}

/** Sends serialized text unchanged. axios would parse it to find out whether it is JSON. */
export function keepWritten(transforms: readonly AxiosRequestTransformer[]): AxiosRequestTransformer {
  return function (this, data: unknown, headers) {
    if (typeof data !== 'string') {
      return transforms.reduce<unknown>((body, transform): unknown => transform.call(this, body, headers), data);
    }
    headers.setContentType('application/json', false);
    return data;
  };
}
