/**
 * JSON-RPC 2.0 (jsonrpc.org/specification) as text and values, apart from any socket. The promise: what is a request,
 * a notification or invalid is decided as the standard says, errors carry the standard's codes, and an id comes back
 * exactly as it was sent (a number as a number, a string as a string, null as null).
 */

export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;
/** The server's own range (-32000 to -32099): an injected fault; `data.status` is the HTTP status it stands for. */
export const SERVER_ERROR = -32000;

export type RpcId = string | number | null;

/** A call whose envelope is in order. A notification has no id, and must never be answered. */
export interface RpcCall {
  readonly id: RpcId | undefined;
  readonly method: string;
  readonly params: unknown;
}

/** A message taken apart: its entries, and whether they came as an array (then the replies leave as one, too). */
export interface RpcMessage {
  readonly isBatch: boolean;
  readonly entries: readonly unknown[];
}

/** Why a message holds no calls at all. */
export interface RpcFailure {
  readonly code: number;
  readonly message: string;
}

/** Takes one message apart; a failure is to be answered with a null id. */
export function readMessage(text: string): RpcMessage | RpcFailure {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { code: PARSE_ERROR, message: 'Parse error' };
  }
  if (!Array.isArray(value)) return { isBatch: false, entries: [value] };
  if (value.length === 0) return { code: INVALID_REQUEST, message: 'Invalid Request: an empty batch' };
  return { isBatch: true, entries: value as unknown[] };
}

/** Checks one entry's envelope; undefined is an invalid request (answered with a null id, as its own is not to be trusted). */
export function readCall(entry: unknown): RpcCall | undefined {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return undefined;
  const { jsonrpc, id, method, params } = entry as Partial<Record<'jsonrpc' | 'id' | 'method' | 'params', unknown>>;
  if (jsonrpc !== '2.0' || typeof method !== 'string') return undefined;
  if (params !== undefined && (typeof params !== 'object' || params === null)) return undefined;
  // JSON.parse makes 1e999 an Infinity, which could not be sent back.
  if (typeof id === 'number' ? !Number.isFinite(id) : id !== undefined && id !== null && typeof id !== 'string') {
    return undefined;
  }
  return { id: id as RpcId | undefined, method, params };
}

/** `result` is JSON text already. */
export function resultReply(id: RpcId, result: string): string {
  return `{"jsonrpc":"2.0","result":${result},"id":${idText(id)}}`;
}

export function errorReply(id: RpcId, code: number, message: string, data?: unknown): string {
  const error = JSON.stringify(data === undefined ? { code, message } : { code, message, data });
  return `{"jsonrpc":"2.0","error":${error},"id":${idText(id)}}`;
}

function idText(id: RpcId): string {
  return typeof id === 'number' ? String(id) : JSON.stringify(id);
}
