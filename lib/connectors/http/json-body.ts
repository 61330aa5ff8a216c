/**
 * Bodies as JSON, written once and before anything is sent. Promise: what JSON has no word for is known as that, whatever
 * goes wrong with the request; nobody guesses it afterwards.
 */
import type { AxiosRequestTransformer } from 'axios';
import { describeValue } from '../../model/errors.js';

/** Throws what JSON throws, also for a function or a symbol, of which JSON writes nothing. */
export function writeJson(body: unknown): string {
  // TypeScript does not know that stringify may give undefined.
  const text = JSON.stringify(body) as string | undefined;
  if (text === undefined) throw new TypeError(`JSON has no word for ${describeValue(body)}`);
  return text;
}

/** Whether it travels as JSON; axios sends bytes, streams and forms in a way of their own. */
export function isForJson(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return body !== undefined;
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body) || body instanceof Blob) return false;
  if (body instanceof FormData || body instanceof URLSearchParams || body instanceof ReadableStream) return false;
  return !('pipe' in body && typeof body.pipe === 'function');
}

/** Sends text that was written already as it is: axios would read it, to find out whether it is JSON. */
export function keepWritten(transforms: readonly AxiosRequestTransformer[]): AxiosRequestTransformer {
  return function (this, data: unknown, headers) {
    if (typeof data !== 'string') {
      return transforms.reduce<unknown>((body, transform): unknown => transform.call(this, body, headers), data);
    }
    headers.setContentType('application/json', false);
    return data;
  };
}
