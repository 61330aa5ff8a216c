/**
 * JSON-RPC 2.0 (jsonrpc.org/specification), with batches. The idempotency key and the trace context are members beside
 * `params`; servers ignore members that they do not know.
 */
import { describeValue } from '../../connect/index.js';
import type { IncomingReply, OutgoingCall, RemoteError, WebSocketCodec } from './codec.js';

export function jsonRpcCodec(): WebSocketCodec {
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
  return {
    encode: ({ id, method, params, key, traceparent }: OutgoingCall): string => {
      let text = `{"jsonrpc":"2.0","method":${quoted(method)},"params":${paramsText(params)}`;
      if (key !== undefined) text += `,${quoted(key.name)}:"${key.value}"`;
      if (traceparent !== undefined) text += `,"traceparent":"${traceparent}"`;
      return `${text},"id":${id}}`;
    },
    frame: (calls) => (calls.length === 1 ? (calls[0] as string) : `[${calls.join(',')}]`),
    decode: (message) => {
      const value = JSON.parse(message) as unknown;
      return Array.isArray(value) ? value.map(readReply) : [readReply(value)];
    },
  };
}

/** The standard allows only arrays and objects as parameters. Any other value becomes the only item of an array. */
function paramsText(params: unknown): string {
  // JSON.stringify returns undefined for functions and symbols, which its type does not show.
  const text = JSON.stringify(params) as string | undefined;
  if (text === undefined) throw new TypeError(`Expected parameters that JSON can carry, got ${describeValue(params)}`);
  return typeof params === 'object' && params !== null ? text : `[${text}]`;
}

function readReply(value: unknown): IncomingReply {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`Expected a JSON-RPC response, got ${describeValue(value)}`);
  }
  const { id, error, result } = value as { id?: unknown; error?: unknown; result?: unknown };
  const about = typeof id === 'number' ? id : id === null || id === undefined ? undefined : -1;
  if (error === undefined || error === null) return { id: about, result };
  return { id: about, error: readError(error) };
}

const INTERNAL_ERROR = -32603;
const isServerError = (code: unknown): boolean => typeof code === 'number' && code <= -32000 && code >= -32099;

function readError(error: unknown): RemoteError {
  const { code, message, data } = (typeof error === 'object' ? error : {}) as Record<string, unknown>;
  const { status, retryAfter } = (typeof data === 'object' && data !== null ? data : {}) as Record<string, unknown>;
  const text = typeof message === 'string' ? message : describeValue(error, 200);
  const detail = data === undefined ? '' : `, ${describeValue(data, 200)}`;
  return {
    message: `${text} (${typeof code === 'number' ? code : 'no code'}${detail})`,
    isPassing: code === INTERNAL_ERROR || isServerError(code),
    status: typeof status === 'number' ? status : undefined,
    retryAfter,
  };
}
