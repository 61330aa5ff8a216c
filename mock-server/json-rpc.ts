/**
 * JSON-RPC 2.0 (jsonrpc.org/specification) as text and values, without any socket.
 *
 * Guarantees: requests, notifications and invalid messages are distinguished as the standard requires; errors have the
 * codes of the standard; an id is returned exactly as it was sent (a number with all its digits, a string as a string,
 * null as null).
 */

import { MOST_ITEMS } from './operations.js';

export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;
/**
 * A code from the server range (-32000 to -32099) for an injected fault; `data.status` is the corresponding HTTP
 * status.
 */
export const SERVER_ERROR = -32000;

export type RpcId = string | number | NumberText | null;

/** A number whose text JavaScript would not reproduce, such as 9007199254740993 or 1.0. */
export class NumberText {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

/** A call with a valid envelope. A notification has no id and must never be answered. */
export interface RpcCall {
  readonly id: RpcId | undefined;
  readonly method: string;
  readonly params: unknown;
}

/** The entries of a message. If they arrived as an array, the replies must leave as an array too. */
export interface RpcMessage {
  readonly isBatch: boolean;
  readonly entries: readonly unknown[];
}

/** The reason why a message contains no calls. */
export interface RpcFailure {
  readonly code: number;
  readonly message: string;
}

/** Parses one message. The caller must answer a failure with a null id. */
export function readMessage(text: string): RpcMessage | RpcFailure {
  let value: unknown;
  try {
    value = parse(text);
  } catch {
    return { code: PARSE_ERROR, message: 'Parse error' };
  }
  if (!Array.isArray(value)) return { isBatch: false, entries: [value] };
  if (value.length === 0) return { code: INVALID_REQUEST, message: 'Invalid Request: an empty batch' };
  if (value.length > MOST_ITEMS) {
    const message = `Invalid Request: ${String(value.length)} calls in one batch, and ${String(MOST_ITEMS)} are allowed`;
    return { code: INVALID_REQUEST, message };
  }
  return { isBatch: true, entries: value as unknown[] };
}

/** An id of sixteen digits or more, or with a fraction or an exponent. */
const UNUSUAL_ID = /"id"\s*:\s*-?(?:\d{16}|\d+[.eE])/;
/** The longest part of an unknown method in a reply. */
export const SHOWN_CHARACTERS = 200;
/** A number with its fraction and exponent. */
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const MARK = 'mock-server:number:';

/** Like JSON.parse, except that an id that a number cannot represent exactly becomes a NumberText. */
function parse(text: string): unknown {
  if (!UNUSUAL_ID.test(text)) return JSON.parse(text);
  // Throws for text that is not JSON.
  JSON.parse(text);
  return JSON.parse(quoteUnusual(text), (key, value: unknown) => {
    if (typeof value !== 'string' || !value.startsWith(MARK)) return value;
    const digits = value.slice(MARK.length);
    // JSON.parse reads 1e999 as Infinity, which is not an id.
    return key === 'id' && Number.isFinite(Number(digits)) ? new NumberText(digits) : Number(digits);
  });
}

/**
 * Quotes the numbers whose text JavaScript would not reproduce. It uses no regular expression for strings, because that
 * would overflow the stack for strings of many megabytes.
 */
function quoteUnusual(text: string): string {
  let quoted = '';
  let copied = 0;
  for (let at = 0; at < text.length;) {
    const character = text.charAt(at);
    if (character === '"') {
      for (at++; at < text.length && text.charAt(at) !== '"'; at++) if (text.charAt(at) === '\\') at++;
      at++;
    } else if (character === '-' || (character >= '0' && character <= '9')) {
      NUMBER.lastIndex = at;
      const token = NUMBER.exec(text)?.[0] ?? '-';
      if (String(Number(token)) !== token) {
        quoted += `${text.slice(copied, at)}"${MARK}${token}"`;
        copied = at + token.length;
      }
      at += token.length;
    } else at++;
  }
  return quoted + text.slice(copied);
}

/**
 * Validates the envelope of one entry. Undefined: an invalid request, answered with a null id because its own id is
 * unreliable.
 */
export function readCall(entry: unknown): RpcCall | undefined {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return undefined;
  const { jsonrpc, id, method, params } = entry as Partial<Record<'jsonrpc' | 'id' | 'method' | 'params', unknown>>;
  if (jsonrpc !== '2.0' || typeof method !== 'string') return undefined;
  if (params !== undefined && (typeof params !== 'object' || params === null)) return undefined;
  // JSON.parse reads 1e999 as Infinity, which cannot be sent back.
  const isText = id === undefined || id === null || typeof id === 'string' || id instanceof NumberText;
  if (typeof id === 'number' ? !Number.isFinite(id) : !isText) return undefined;
  return { id: id as RpcId | undefined, method, params };
}

/** @param result JSON text. */
export function resultReply(id: RpcId, result: string): string {
  return `{"jsonrpc":"2.0","result":${result},"id":${idText(id)}}`;
}

export function errorReply(id: RpcId, code: number, message: string, data?: unknown): string {
  const error = JSON.stringify(data === undefined ? { code, message } : { code, message, data });
  return `{"jsonrpc":"2.0","error":${error},"id":${idText(id)}}`;
}

function idText(id: RpcId): string {
  if (id instanceof NumberText) return id.text;
  return typeof id === 'number' ? String(id) : JSON.stringify(id);
}
