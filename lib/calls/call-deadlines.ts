/**
 * What is said when an attempt, or a record over all its attempts, has taken too long, and the timers of records.
 *
 * Promise: the timeout of a record does not run while its whole task is paused; attempts that time out in one turn get
 * one error, because they have one cause: a connection that is stuck, an upstream that is.
 */
import { MillraceError } from '../model/errors.js';
import type { TaskScope } from '../stream/task-scope.js';
import { UpstreamError } from '../model/upstream-error.js';
import type { Call } from './call.js';
import type { CallTimeout } from './policies/call-timeout.js';
import type { Delays } from './delays.js';
import { describeMs } from '../text/describe-ms.js';

/** What is said of a call that took too long: `<silence> within 2 s; <doubt>`. */
export interface CallWords {
  /** Who did not do what: `http://ats did not answer 'Ask'`. */
  readonly silence: string;
  /** What nobody knows then. */
  readonly doubt: string;
}

export interface DeadlineParts<In> {
  readonly timeout: CallTimeout;
  readonly words: CallWords;
  /** Whether a call whose outcome is unknown may be repeated. */
  readonly isIdempotent: boolean;
  readonly scope: TaskScope;
  readonly delays: Delays;
  /** Milliseconds since the first attempt, without those in which the task was paused. */
  readonly spentMs: (call: Call<In>, nowMs: number) => number;
  readonly onRecordTimeout: (call: Call<In>, error: MillraceError) => void;
}

export class CallDeadlines<In> {
  private readonly parts: DeadlineParts<In>;
  private attemptError: UpstreamError | undefined;

  constructor(parts: DeadlineParts<In>) {
    this.parts = parts;
  }

  /** The error of an attempt that timed out now. */
  errorOfAttempt(): UpstreamError {
    if (this.attemptError !== undefined) return this.attemptError;
    const { timeout, isIdempotent, scope, words } = this.parts;
    const message = `${words.silence} within ${describeMs(timeout.attemptMs)}; ${words.doubt}`;
    this.attemptError = new UpstreamError('MILLRACE_TIMEOUT', message, { blame: 'upstream', retryable: isIdempotent });
    scope.clock.defer(() => {
      this.attemptError = undefined;
    });
    return this.attemptError;
  }

  /** From now on the record's own timeout runs, if there is one. */
  start(call: Call<In>): void {
    const { timeout, scope, delays, spentMs, onRecordTimeout } = this.parts;
    const { recordMs } = timeout;
    if (!Number.isFinite(recordMs)) return;
    const arm = (delayMs: number): void => {
      call.cancelTimeout = delays.after(delayMs, () => {
        const leftMs = recordMs - spentMs(call, scope.clock.monotonicMs());
        if (leftMs > 0) arm(Math.max(1, leftMs));
        else onRecordTimeout(call, this.errorOfRecord(recordMs));
      });
    };
    arm(recordMs);
  }

  private errorOfRecord(recordMs: number): MillraceError {
    const { silence, doubt } = this.parts.words;
    const message = `${silence} within ${describeMs(recordMs)} over all attempts; ${doubt}`;
    return new MillraceError('MILLRACE_TIMEOUT', message);
  }
}
