/**
 * The port behind which requests are answered where there is no network: a run that is given one sends nothing.
 * `fakeUpstream` of `millrace/testing` makes one.
 */

/** One attempt of one request, as the upstream sees it. */
export interface UpstreamCall {
  /** The name of the task that calls. */
  readonly task: string;
  /** Complete, with the fields of the record filled in. */
  readonly url: string;
  /** Of HTTP: GET, POST and so on. Over WebSocket: the JSON-RPC method. */
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** What JSON makes of the body; bodies of another type as they are sent. Undefined: none. */
  readonly body: unknown;
  /** The idempotency key: the same on every attempt. Undefined where none is sent. */
  readonly key: string | undefined;
  /**
   * From 1: which try of this record it is, also of those that cost no attempt because the upstream was busy or down. A
   * hedge has the number of the try it backs; a request that carries several records, the highest of theirs.
   */
  readonly attempt: number;
  /** Whether it is a second try beside a slow first one. */
  readonly isHedge: boolean;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** What an upstream answers. */
export interface UpstreamReply {
  /** As in HTTP. Over WebSocket, 400 and above stand for a JSON-RPC error with that status. */
  readonly status: number;
  /** Default: none. Over WebSocket only `retry-after` is looked at. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Plain data, sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, in place of `body`: an answer that is not JSON. */
  readonly text?: string;
}

/**
 * Contract: a rejection stands for a connection that failed, and its `code` (such as ECONNRESET) for how; what comes
 * after `signal` has aborted is not looked at.
 */
export interface Upstream {
  /** Called once for each attempt, retries and hedges included. */
  answer(call: UpstreamCall): Promise<UpstreamReply>;
}
