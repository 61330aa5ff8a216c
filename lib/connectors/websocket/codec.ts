/** How calls and replies are written into WebSocket messages: the port for protocols other than JSON-RPC 2.0. */

/** One attempt of one call, as a codec gets it. */
export interface OutgoingCall {
  /** Unique on its connection; the reply carries it. */
  readonly id: number;
  /** The option `method` of the task. */
  readonly method: string;
  /** What `body` gave for the record, or the record itself. */
  readonly params: unknown;
  /** The name and the value of the idempotency key, where one is sent. */
  readonly key: { readonly name: string; readonly value: string } | undefined;
  /** W3C Trace Context of this call; undefined unless the task has `trace: true`. */
  readonly traceparent: string | undefined;
}

/** The answer to one call, as a codec reads it from a message. */
export interface IncomingReply {
  /** As it was sent; undefined where the message is not about one call. */
  readonly id: number | undefined;
  /** The answer, checked by `response`; looked at only where `error` is undefined. */
  readonly result?: unknown;
  /** Present where the upstream refused the call. */
  readonly error?: RemoteError;
}

/** Why an upstream refused a call over WebSocket. */
export interface RemoteError {
  /** What the upstream said, for the message of the error; nothing is decided by it. */
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
  /** The text of one call, before `frame`; what it throws fails that call alone. */
  encode(call: OutgoingCall): string;
  /** Without it every call is a message of its own. */
  frame?(calls: readonly string[]): string;
  /** All replies in one message as it was received; throws where it cannot be read. */
  decode(message: string): readonly IncomingReply[];
}
