/**
 * Calls that were cancelled while their work still runs: functions that ignore their signal. Each one keeps its permit
 * until its work ends, so a timeout never lets more work run at a time than the task allows.
 *
 * Guarantees: if only abandoned calls hold the permits that a record waits for, the run gets one notice. If none of
 * them ends before the deadline, the run fails with the name of the task. Nothing waits silently or for ever.
 */
import { MillraceError } from '../model/errors.js';
import type { TaskScope } from '../stream/task-scope.js';
import { describeMs } from '../text/quantities.js';

export interface AbandonedParts {
  readonly scope: TaskScope;
  /** The timeout of an attempt, in milliseconds. */
  readonly attemptMs: number;
  /** Called when a waiting call should ask for admission again. */
  readonly wake: () => void;
  readonly fail: (error: MillraceError) => void;
}

/** Most functions need a moment to stop after their signal has aborted. The notice comes only after this time. */
const NOTICE_AFTER_MS = 1000;
/**
 * The same as the default deadline of a circuit breaker. If the timeout of an attempt is longer, it is the deadline.
 */
const DEADLINE_MS = 300_000;

export class AbandonedCalls {
  count = 0;
  private readonly parts: AbandonedParts;
  private readonly deadlineMs: number;
  private blockedSinceMs: number | undefined;
  private hasNotified = false;
  private cancelTimer: (() => void) | undefined;

  constructor(parts: AbandonedParts) {
    this.parts = parts;
    this.deadlineMs = Math.max(DEADLINE_MS, parts.attemptMs);
  }

  /** Whether a record waits for an abandoned call to end. */
  get isBlocking(): boolean {
    return this.blockedSinceMs !== undefined;
  }

  /**
   * Call when a record was refused because abandoned calls hold all permits.
   * @param permits the number of permits that they hold.
   * @param owner the task or the limiter that the permits belong to, for messages: `'Save'`.
   */
  block(permits: number, owner: string, nowMs: number): void {
    this.blockedSinceMs ??= nowMs;
    const waitedMs = nowMs - this.blockedSinceMs;
    if (waitedMs >= this.deadlineMs) {
      this.parts.fail(this.stalledError(permits, owner));
      return;
    }
    if (!this.hasNotified && waitedMs >= NOTICE_AFTER_MS) {
      this.hasNotified = true;
      this.parts.scope.notice(
        `'${this.parts.scope.task}' waits: ${describe(permits, owner)}. ${ADVICE}; if none ends within ` +
          `${describeMs(this.deadlineMs)}, the run fails`,
      );
    }
    const dueMs = (this.hasNotified ? this.deadlineMs : NOTICE_AFTER_MS) - waitedMs;
    this.cancelTimer ??= this.parts.scope.clock.schedule(dueMs, () => {
      this.cancelTimer = undefined;
      this.parts.wake();
    });
  }

  /** Call when an abandoned call has ended or when a call can start anyway. */
  unblock(): void {
    this.blockedSinceMs = undefined;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  private stalledError(permits: number, owner: string): MillraceError {
    const { scope } = this.parts;
    return new MillraceError(
      'MILLRACE_STALLED',
      `The run stalled. '${scope.task}' has waited ${describeMs(this.deadlineMs)}: ${describe(permits, owner)}. ${ADVICE}`,
    );
  }
}

const ADVICE = 'Let the function end when `context.signal` aborts, or raise its timeout';

function describe(permits: number, owner: string): string {
  const all = permits === 1 ? `the one call that ${owner} may have` : `all ${permits} calls that ${owner} may have`;
  const functions = permits === 1 ? 'its function has' : 'their functions have';
  return `${all} in flight took longer than the timeout, and ${functions} not ended`;
}
