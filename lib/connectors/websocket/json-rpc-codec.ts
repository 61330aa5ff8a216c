/**
 * JSON-RPC 2.0 (jsonrpc.org/specification), with batches. The idempotency key and the trace context are members beside
 * `params`; most servers ignore members that they do not know.
 *
 * Guarantees: a notification, a request or a keep-alive of the server fails no call. A reply that has neither a result
 * nor an error, or an integer that a number cannot hold, fails its own call only.
 */
import { describeValue } from '../../connect/index.js';
import { isForJson, kindOf, writeJson } from '../request/json-value.js';
import { LargeInteger, firstLargeIn, quoteLarge, reviveLarge, type LargeIntegers } from '../json/large-integers.js';
import type { IncomingReply, OutgoingCall, RemoteError, WebSocketCodec } from './codec.js';

/** @param largeIntegers the treatment of integers that a number cannot hold. */
export function jsonRpcCodec(largeIntegers: LargeIntegers = 'refuse'): WebSocketCodec {
  // Bounded: the names of methods and members come from the configuration.
  const quotedNames = new Map<string, string>();
  const quoted = (name: string): string => {
    let text = quotedNames.get(name);
    if (text === undefined) {
      text = JSON.stringify(name);
      quotedNames.set(name, text);
    }
    return text;
  };
  let keyName: string | undefined;
  return {
    encode: ({ id, method, params, key, traceparent }: OutgoingCall): string => {
      let text = `{"jsonrpc":"2.0","method":${quoted(method)},"params":${paramsText(params)}`;
      keyName = key?.name;
      if (key !== undefined) text += `,${quoted(key.name)}:"${key.value}"`;
      if (traceparent !== undefined) text += `,"traceparent":"${traceparent}"`;
      return `${text},"id":${id}}`;
    },
    frame: (calls) => (calls.length === 1 ? (calls[0] as string) : `[${calls.join(',')}]`),
    decode: (message) => {
      // Some servers keep connections open with empty messages.
      if (message.length < LONGEST_BLANK && message.trim() === '') return [KEEP_ALIVE];
      const text = largeIntegers === 'round' ? message : quoteLarge(message, largeIntegers);
      const isExact = text === message;
      const value = JSON.parse(text, isExact || largeIntegers === 'text' ? undefined : reviveLarge) as unknown;
      const read = (reply: unknown): IncomingReply => readReply(reply, keyName);
      const replies = Array.isArray(value) ? value.map(read) : [read(value)];
      return isExact ? replies : replies.map(refuseLarge);
    },
  };
}

const LONGEST_BLANK = 16;
const KEEP_ALIVE: IncomingReply = { id: undefined, notification: '' };

/** The standard allows only arrays and objects as parameters. Any other value becomes the only item of an array. */
function paramsText(params: unknown): string {
  if (!isForJson(params)) {
    const got = typeof params === 'object' && params !== null ? `a ${kindOf(params)}` : describeValue(params);
    throw new TypeError(`Expected parameters that JSON can carry, got ${got}`);
  }
  const text = writeJson(params);
  return typeof params === 'object' && params !== null ? text : `[${text}]`;
}

interface Message {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly error?: unknown;
  readonly result?: unknown;
}

/** An id that no call has. */
const UNKNOWN = -1;

/** @param keyName the member with the idempotency key, if calls carry one. */
function readReply(value: unknown, keyName: string | undefined): IncomingReply {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`Expected a JSON-RPC response, got ${describeValue(value, 200)}`);
  }
  const { id, method, error, result } = value as Message;
  const isAnswer = result !== undefined || (error !== undefined && error !== null);
  // A notification or a request of the server. JSON-RPC 1.0 sends notifications with a null id.
  if (method !== undefined && !isAnswer) {
    return { id: undefined, notification: typeof method === 'string' ? method : describeValue(method) };
  }
  if (typeof id === 'number') return readAnswer(id, result, error, keyName);
  if (typeof id === 'string' && /^[1-9]\d{0,15}$/.test(id)) {
    return { ...readAnswer(Number(id), result, error, keyName), hint: TEXT_IDS };
  }
  if (id !== null && id !== undefined) return { id: UNKNOWN };
  // An error without an id concerns a call that the server could not read. Any other message without an id does not
  // concern a call.
  if (error !== undefined && error !== null) return { id: undefined, error: readError(error, keyName) };
  return { id: undefined, notification: describeValue(value, 200) };
}

const TEXT_IDS =
  'its replies carry the ids of calls as text, for example "1" in place of 1. JSON-RPC 2.0 requires the same value; the replies are accepted';

function readAnswer(id: number, result: unknown, error: unknown, keyName: string | undefined): IncomingReply {
  if (error !== undefined && error !== null) return { id, error: readError(error, keyName) };
  if (result === undefined) return { id, invalid: 'the reply has neither a `result` nor an `error`' };
  return { id, result };
}

function refuseLarge(reply: IncomingReply): IncomingReply {
  const digits = firstLargeIn(reply.result);
  return digits === undefined ? reply : { id: reply.id, invalid: LargeInteger.explain(digits) };
}

const INVALID_REQUEST = -32600;
const INTERNAL_ERROR = -32603;
const isServerError = (code: unknown): boolean => typeof code === 'number' && code <= -32000 && code >= -32099;

function readError(error: unknown, keyName: string | undefined): RemoteError {
  const { code, message, data } = (typeof error === 'object' ? error : {}) as Record<string, unknown>;
  const { status, retryAfter } = (typeof data === 'object' && data !== null ? data : {}) as Record<string, unknown>;
  const text = typeof message === 'string' ? message : describeValue(error, 200);
  const detail = data === undefined ? '' : `, ${describeValue(data, 200)}`;
  // Some servers, such as Python's jsonrpcserver, refuse members that the standard does not name.
  const hint =
    code === INVALID_REQUEST && keyName !== undefined
      ? `. If the upstream refuses the member '${keyName}' of a call, which carries its idempotency key, set \`idempotencyKey: false\`, and \`repeatable: true\` if a call may be repeated`
      : '';
  return {
    message: `${text} (${typeof code === 'number' ? code : 'no code'}${detail})${hint}`,
    isPassing: code === INTERNAL_ERROR || isServerError(code),
    status: typeof status === 'number' ? status : undefined,
    retryAfter,
  };
}
