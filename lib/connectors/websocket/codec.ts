/** How calls and replies are written into WebSocket messages: the port for protocols other than JSON-RPC 2.0. */

export interface OutgoingCall {
  /** Unique on its connection; the reply carries it. */
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
  /** The name and the value of the idempotency key, where one is sent. */
  readonly key: { readonly name: string; readonly value: string } | undefined;
  readonly traceparent: string | undefined;
}

export interface IncomingReply {
  /** As it was sent; undefined where the message is not about one call. */
  readonly id: number | undefined;
  readonly result?: unknown;
  readonly error?: RemoteError;
}

export interface RemoteError {
  readonly message: string;
  /** Whether another attempt may succeed. */
  readonly isPassing: boolean;
  /** The HTTP status it stands for, if it stands for one. */
  readonly status?: number | undefined;
  /** How long to wait: a number of seconds, or what an HTTP header Retry-After would say. */
  readonly retryAfter?: unknown;
}

/**
 * Contract: `encode` may throw, which fails that call alone; `frame` joins what `encode` gave into one message and must
 * not throw; `decode` gives the replies of one message, and throws where it cannot be read.
 */
export interface WebSocketCodec {
  encode(call: OutgoingCall): string;
  /** Without it every call is a message of its own. */
  frame?(calls: readonly string[]): string;
  decode(message: string): readonly IncomingReply[];
}
