/** The options of WebSocket connections, and their defaults. It loads no code of the transport. */
import { checkOptions, count, number, objectWith, type OptionRules } from '../../connect/index.js';
import type { WebSocketCodec } from './codec.js';

/** Options of the connections of a `requestTask` whose URL is ws: or wss:. */
export interface WebSocketOptions {
  /** The number of connections to the upstream. Default 2. */
  readonly sockets?: number;
  /** The most calls per message. Default 64; 1 sends each call by itself. */
  readonly maxBatch?: number;
  /** The bytes in the send buffer of a connection above which calls wait. Default 4 MiB. */
  readonly maxBufferedBytes?: number;
  /** Milliseconds of silence after which the connection is pinged. Default 10,000. */
  readonly pingAfterMs?: number;
  /** Milliseconds within which the pong must arrive. Default 5,000. */
  readonly pongWithinMs?: number;
  /** The limit in milliseconds for making a connection. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** The longest delay before the first reconnection, in milliseconds; doubles, with full jitter. Default 100. */
  readonly reconnectMs?: number;
  /** The longest delay before any reconnection, in milliseconds. Default 5,000. */
  readonly maxReconnectMs?: number;
  /**
   * The subprotocols to offer, in order of preference (Sec-WebSocket-Protocol). The upstream must choose one of them.
   * Default: none.
   */
  readonly protocols?: string | readonly string[];
  /** A protocol other than JSON-RPC 2.0. */
  readonly codec?: WebSocketCodec;
}

export type WebSocketSettings = Required<WebSocketOptions>;
type Resolved = Omit<WebSocketSettings, 'codec'> & Pick<WebSocketOptions, 'codec'>;

const RULES: OptionRules<WebSocketOptions> = {
  sockets: count(),
  maxBatch: count(),
  maxBufferedBytes: count(),
  pingAfterMs: number(1),
  pongWithinMs: number(1),
  connectTimeoutMs: number(1),
  reconnectMs: number(1),
  maxReconnectMs: number(1),
  protocols: {
    expected: 'a name of a subprotocol, or an array of different names',
    accepts: (value) => {
      const names: readonly unknown[] = [value].flat();
      return new Set(names).size === names.length && names.every(isProtocol);
    },
  },
  codec: objectWith('encode', 'decode'),
};

/** A token of RFC 9110. */
function isProtocol(name: unknown): boolean {
  return typeof name === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(name);
}

/** Throws MILLRACE_INVALID_OPTION for options that do not fit. */
export function checkWebSocketOptions(given: WebSocketOptions): void {
  checkOptions('`websocket`', given, RULES);
}

/** Fills in the defaults of checked options. The transport has the default of `codec`, because it loads its code. */
export function resolveWebSocketOptions(given: WebSocketOptions = {}): Resolved {
  const { sockets = 2, maxBatch = 64, maxBufferedBytes = 4 * 1024 * 1024 } = given;
  const { pingAfterMs = 10_000, pongWithinMs = 5000, connectTimeoutMs = 10_000 } = given;
  const { reconnectMs = 100, maxReconnectMs = 5000, protocols = [], codec } = given;
  const limits = { sockets, maxBatch, maxBufferedBytes };
  return {
    ...limits,
    pingAfterMs,
    pongWithinMs,
    connectTimeoutMs,
    reconnectMs,
    maxReconnectMs,
    protocols,
    ...(codec === undefined ? {} : { codec }),
  };
}
