/**
 * What went wrong with a call of an upstream, in the terms policies decide by. Promise: who is to blame is said where
 * the failure is seen; nobody downstream guesses it from a message.
 */
import { MillraceError, type ErrorCode, type ErrorDetails } from './errors.js';

/**
 * `upstream`: it is down or broken, which counts against the circuit breaker; `load`: it asks for less; `record`: it is
 * well and refuses this record.
 */
export type Blame = 'upstream' | 'load' | 'record';

export interface UpstreamErrorDetails extends ErrorDetails {
  readonly blame: Blame;
  /** The HTTP status, or the one a JSON-RPC error stands for. */
  readonly status?: number | undefined;
  /** How long the upstream asked to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** A call of an upstream that failed; policies decide by its fields, never by its message. */
export class UpstreamError extends MillraceError {
  /** Who is to blame: decides whether it counts against the circuit breaker. */
  readonly blame: Blame;
  /** The HTTP status, or the one a JSON-RPC error stands for; undefined without an answer. */
  readonly status: number | undefined;
  /** How long the upstream asked to wait, in milliseconds; undefined: it did not. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, details: UpstreamErrorDetails) {
    super(code, message, details);
    this.blame = details.blame;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** Who is to blame; an error that does not say so is about its record. */
export function blameOf(error: unknown): Blame {
  return error instanceof UpstreamError ? error.blame : 'record';
}
