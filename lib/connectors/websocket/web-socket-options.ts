/** The options of calls over WebSocket, and their defaults. */
import { checkCount, checkKeys, checkNumber } from '../../core/options.js';
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

const KEYS = [
  ...['sockets', 'maxBatch', 'maxBufferedBytes', 'pingAfterMs', 'pongWithinMs'],
  ...['connectTimeoutMs', 'reconnectMs', 'maxReconnectMs', 'codec'],
];

export function resolveWebSocketOptions(given: WebSocketOptions = {}): WebSocketSettings {
  checkKeys('`websocket`', given, KEYS);
  const settings: WebSocketSettings = {
    sockets: 2,
    maxBatch: 64,
    maxBufferedBytes: 4 * 1024 * 1024,
    pingAfterMs: 10_000,
    pongWithinMs: 5000,
    connectTimeoutMs: 10_000,
    reconnectMs: 100,
    maxReconnectMs: 5000,
    codec: jsonRpcCodec(),
    ...given,
  };
  checkCount('websocket.sockets', settings.sockets);
  checkCount('websocket.maxBatch', settings.maxBatch);
  checkCount('websocket.maxBufferedBytes', settings.maxBufferedBytes);
  for (const name of ['pingAfterMs', 'pongWithinMs', 'connectTimeoutMs', 'reconnectMs', 'maxReconnectMs'] as const) {
    checkNumber(`websocket.${name}`, settings[name], 1);
  }
  return settings;
}
