/**
 * Values that are sent as JSON.
 *
 * Guarantees: a value that JSON cannot represent, or would silently send as `{}`, is recognised before anything is
 * sent.
 */
import { types } from 'node:util';
import { describeValue } from '../../connect/index.js';

/**
 * Throws the errors of JSON.stringify, and a TypeError for values that it would drop: functions, symbols, promises,
 * maps and sets.
 */
export function writeJson(body: unknown): string {
  if (typeof body === 'object' && body !== null) refuseEmptied(body);
  // Its type does not show that stringify may return undefined.
  const text = JSON.stringify(body) as string | undefined;
  if (text === undefined) throw new TypeError(`JSON cannot represent ${describeValue(body)}`);
  return text;
}

/** Whether a body is sent as JSON. Bytes, streams and forms are sent in other ways. */
export function isForJson(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return body !== undefined;
  if (types.isAnyArrayBuffer(body) || ArrayBuffer.isView(body) || body instanceof Blob) return false;
  if (body instanceof FormData || body instanceof URLSearchParams || body instanceof ReadableStream) return false;
  return !('pipe' in body && typeof body.pipe === 'function');
}

/** The kind of a body that is not JSON, for messages. */
export function kindOf(body: object): string {
  // '[object FormData]'
  return Object.prototype.toString.call(body).slice(8, -1);
}

/** JSON.stringify writes these as `{}`, whatever they hold. */
function refuseEmptied(body: object): void {
  if ('then' in body && typeof body.then === 'function') {
    throw new TypeError(
      'JSON cannot represent a promise. `body` must return the value itself, so await it in a task before',
    );
  }
  if ((body instanceof Map || body instanceof Set) && !('toJSON' in body)) {
    const remedy = body instanceof Map ? 'Object.fromEntries(map)' : 'an array, [...set]';
    throw new TypeError(`JSON cannot represent a ${kindOf(body)}. Return ${remedy}`);
  }
}
