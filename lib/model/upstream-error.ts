/**
 * Failures of calls to an upstream, with the facts that policies need for their decisions.
 *
 * Guarantees: the code that sees the failure decides what caused it (`blame`); nothing downstream infers that from a
 * message.
 */
import { MillraceError, type ErrorCode, type ErrorDetails } from './errors.js';
import { shareClass } from './shared-class.js';

/**
 * The cause of a failed call. `upstream`: the upstream is down or broken, which counts against the circuit breaker;
 * `load`: it asks for fewer calls; `record`: it is healthy and refuses this record.
 */
export type Blame = 'upstream' | 'load' | 'record';

export interface UpstreamErrorDetails extends ErrorDetails {
  readonly blame: Blame;
  /** The HTTP status, or the HTTP status that corresponds to a JSON-RPC error. */
  readonly status?: number | undefined;
  /** The wait that the upstream asked for, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** A call of an upstream that failed; policies decide by its fields, never by its message. */
export class UpstreamError extends MillraceError {
  static {
    shareClass(this, 'UpstreamError');
  }

  /** The cause; decides whether the failure counts against the circuit breaker. */
  readonly blame: Blame;
  /** The HTTP status, or the one that corresponds to a JSON-RPC error; undefined without an answer. */
  readonly status: number | undefined;
  /** The wait that the upstream asked for, in milliseconds; undefined if it asked for none. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, details: UpstreamErrorDetails) {
    super(code, message, details);
    this.blame = details.blame;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }
}
