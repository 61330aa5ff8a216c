/** The port for protocols other than JSON-RPC 2.0: how calls and replies are encoded as WebSocket messages. */

/** One attempt of one call, as passed to a codec. */
export interface OutgoingCall {
  /** Unique on its connection; the reply carries it. */
  readonly id: number;
  /** The option `method` of the task. */
  readonly method: string;
  /** The result of `body` for the record, or the record itself. */
  readonly params: unknown;
  /** The name and the value of the idempotency key, if one is sent. */
  readonly key: { readonly name: string; readonly value: string } | undefined;
  /** W3C Trace Context of this call; undefined unless the task has `trace: true`. */
  readonly traceparent: string | undefined;
}

/** The reply to one call, as a codec decodes it from a message. */
export interface IncomingReply {
  /** The id of the call; undefined if the message does not belong to one call. */
  readonly id: number | undefined;
  /**
   * The name of a message that answers no call, such as an event that the upstream pushes. It is counted as a
   * notification and dropped, and the other fields are not read.
   */
  readonly notification?: string;
  /** The answer, validated by `response`. Used only if `error` is undefined. */
  readonly result?: unknown;
  /** Present if the upstream refused the call. */
  readonly error?: RemoteError;
  /**
   * The reason why the reply is not valid. The call then fails with MILLRACE_BAD_RESPONSE. Other calls are not
   * affected.
   */
  readonly invalid?: string;
  /** A peculiarity of the upstream that the user should know. The run reports it once, as a notice. */
  readonly hint?: string;
}

/** The refusal of a call over WebSocket. */
export interface RemoteError {
  /** The upstream's explanation, for the message of the error. No decision depends on it. */
  readonly message: string;
  /** Whether another attempt may succeed. */
  readonly isPassing: boolean;
  /** The HTTP status that the error stands for, if any. */
  readonly status?: number | undefined;
  /** The time to wait: a number of seconds, or the value of a Retry-After header. */
  readonly retryAfter?: unknown;
}

/**
 * Contract: `encode` may throw, which fails that call only. `frame` joins encoded calls into one message and must not
 * throw. `decode` returns the replies of one message, and throws if it cannot be decoded.
 */
export interface WebSocketCodec {
  /** The text of one call, before `frame`. An error fails that call only. */
  encode(call: OutgoingCall): string;
  /** Joins calls into one message. Without it each call is a message of its own. */
  frame?(calls: readonly string[]): string;
  /** All replies in one received message. Throws if it cannot be decoded. */
  decode(message: string): readonly IncomingReply[];
}
