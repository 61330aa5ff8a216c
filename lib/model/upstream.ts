/**
 * The port that answers requests in place of a network: a run that has an `Upstream` sends nothing.
 * `fakeUpstream` of `millrace/testing` makes one.
 */

/** One attempt of one request, as the upstream sees it. */
export interface UpstreamCall {
  /** The name of the task that calls. */
  readonly task: string;
  /** The complete URL, with the fields of the record filled in. */
  readonly url: string;
  /** Over HTTP the method, such as GET or POST. Over WebSocket the JSON-RPC method. */
  readonly method: string;
  /** Header names are in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** A JSON body as its parsed value; other bodies as they are sent. Undefined without a body. */
  readonly body: unknown;
  /** The idempotency key, the same on every attempt. Undefined if none is sent. */
  readonly key: string | undefined;
  /**
   * The number of this try of the record, from 1. It also counts tries that cost no attempt because the upstream was
   * busy or down. A hedge has the number of the try it backs; a request with several records has the highest number of
   * its records.
   */
  readonly attempt: number;
  /** True for a second try beside a slow first one. */
  readonly isHedge: boolean;
  /** Aborts when the answer is no longer needed. */
  readonly signal: AbortSignal;
}

/** The answer of an upstream. */
export interface UpstreamReply {
  /** An HTTP status. Over WebSocket, 400 and above mean a JSON-RPC error with that status. */
  readonly status: number;
  /** Default: none. Over WebSocket only `retry-after` is used. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Plain data, sent as JSON. */
  readonly body?: unknown;
  /** Sent unchanged in place of `body`, for an answer that is not JSON. */
  readonly text?: string;
}

/**
 * An upstream inside this process.
 *
 * Contract: a rejection means a failed connection, and its `code` (such as ECONNRESET) is the kind of failure. Answers
 * after `signal` has aborted are ignored.
 */
export interface Upstream {
  /** Called once per attempt, retries and hedges included. */
  answer(call: UpstreamCall): Promise<UpstreamReply>;
}
