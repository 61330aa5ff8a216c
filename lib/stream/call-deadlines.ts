/**
 * What is said when an attempt, or a record over all its attempts, has taken too long, and the timers of records.
 *
 * Promise: the timeout of a record does not run while its whole task is paused; attempts that time out in one turn get
 * one error, because they have one cause: a connection that is stuck, an upstream that is.
 */
import { MillraceError } from '../core/errors.js';
import type { TaskScope } from '../core/ports.js';
import { UpstreamError } from '../core/upstream-error.js';
import type { Call } from './call.js';
import type { CallTimeout } from './call-timeout.js';
import type { Delays } from './delays.js';
import { describeMs } from './describe-ms.js';

export interface DeadlineParts<In> {
  readonly timeout: CallTimeout;
  /** What is called, for messages. */
  readonly upstream: string;
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
    const { timeout, isIdempotent, scope } = this.parts;
    const message = `${this.silence(timeout.attemptMs)}; whether the request took effect is unknown`;
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
    const message = `${this.silence(recordMs)} over all attempts; whether a request took effect is unknown`;
    return new MillraceError('MILLRACE_TIMEOUT', message);
  }

  private silence(ms: number): string {
    return `${this.parts.upstream} did not answer '${this.parts.scope.task}' within ${describeMs(ms)}`;
  }
}
