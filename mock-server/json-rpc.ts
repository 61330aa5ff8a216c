/**
 * JSON-RPC 2.0 (jsonrpc.org/specification) as text and values, without any socket.
 *
 * Guarantees: requests, notifications and invalid messages are distinguished as the standard requires; errors have the codes
 * of the standard; an id is returned exactly as it was sent (a number as a number, a string as a string, null as null).
 */

export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;
/** A code from the server range (-32000 to -32099) for an injected fault; `data.status` is the corresponding HTTP status. */
export const SERVER_ERROR = -32000;

export type RpcId = string | number | null;

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
    value = JSON.parse(text);
  } catch {
    return { code: PARSE_ERROR, message: 'Parse error' };
  }
  if (!Array.isArray(value)) return { isBatch: false, entries: [value] };
  if (value.length === 0) return { code: INVALID_REQUEST, message: 'Invalid Request: an empty batch' };
  return { isBatch: true, entries: value as unknown[] };
}

/** Validates the envelope of one entry. Undefined: an invalid request, answered with a null id because its own id is unreliable. */
export function readCall(entry: unknown): RpcCall | undefined {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return undefined;
  const { jsonrpc, id, method, params } = entry as Partial<Record<'jsonrpc' | 'id' | 'method' | 'params', unknown>>;
  if (jsonrpc !== '2.0' || typeof method !== 'string') return undefined;
  if (params !== undefined && (typeof params !== 'object' || params === null)) return undefined;
  // JSON.parse reads 1e999 as Infinity, which cannot be sent back.
  if (typeof id === 'number' ? !Number.isFinite(id) : id !== undefined && id !== null && typeof id !== 'string') {
    return undefined;
  }
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
  return typeof id === 'number' ? String(id) : JSON.stringify(id);
}
