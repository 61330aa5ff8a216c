/** The options of calls over WebSocket, and their defaults. */
import { checkOptions, count, number, objectWith, type OptionRules } from '../../options/options.js';
import { jsonRpcCodec } from './json-rpc-codec.js';
import type { WebSocketCodec } from './codec.js';

/** Options of the connections of a `requestTask` whose URL is ws: or wss:. */
export interface WebSocketOptions {
  /** Connections kept to the upstream. Default 2. */
  readonly sockets?: number;
  /** The most calls of one message. Default 64; 1 sends each by itself. */
  readonly maxBatch?: number;
  /** Bytes waiting to be sent, a socket, above which calls wait. Default 4 MiB. */
  readonly maxBufferedBytes?: number;
  /** Milliseconds of silence until the other side is asked whether it is there. Default 10,000. */
  readonly pingAfterMs?: number;
  /** Milliseconds it has to answer. Default 5,000. */
  readonly pongWithinMs?: number;
  /** Milliseconds to connect in. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** The first wait before connecting again; doubles, with full jitter. Default 100. */
  readonly reconnectMs?: number;
  /** The longest wait before connecting again, in milliseconds. Default 5,000. */
  readonly maxReconnectMs?: number;
  /** Another protocol than JSON-RPC 2.0. */
  readonly codec?: WebSocketCodec;
}

export type WebSocketSettings = Required<WebSocketOptions>;

const RULES: OptionRules<WebSocketOptions> = {
  sockets: count(),
  maxBatch: count(),
  maxBufferedBytes: count(),
  pingAfterMs: number(1),
  pongWithinMs: number(1),
  connectTimeoutMs: number(1),
  reconnectMs: number(1),
  maxReconnectMs: number(1),
  codec: objectWith('encode', 'decode'),
};

/** Throws MILLRACE_INVALID_OPTION. */
export function checkWebSocketOptions(given: WebSocketOptions): void {
  checkOptions('`websocket`', given, RULES);
}

/** With the defaults; call only with what was checked. */
export function resolveWebSocketOptions(given: WebSocketOptions = {}): WebSocketSettings {
  const { sockets = 2, maxBatch = 64, maxBufferedBytes = 4 * 1024 * 1024 } = given;
  const { pingAfterMs = 10_000, pongWithinMs = 5000, connectTimeoutMs = 10_000 } = given;
  const { reconnectMs = 100, maxReconnectMs = 5000, codec = jsonRpcCodec() } = given;
  const limits = { sockets, maxBatch, maxBufferedBytes };
  return { ...limits, pingAfterMs, pongWithinMs, connectTimeoutMs, reconnectMs, maxReconnectMs, codec };
}
