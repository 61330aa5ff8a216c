/**
 * Calls that nobody waits for any more while their work goes on: functions that take no notice of their signal. Each keeps
 * its slot until its work is over, so that a timeout never lets more work run than the task may have under way.
 *
 * Promises: where such calls alone hold every slot that a record waits for, the run is told once; where none of them ends
 * until the deadline it fails, and says which task it is: nothing waits in silence, and nothing for ever.
 */
import { MillraceError } from '../model/errors.js';
import type { TaskScope } from '../stream/task-scope.js';
import { describeMs } from '../text/describe-ms.js';

export interface AbandonedParts {
  readonly scope: TaskScope;
  /** The timeout of an attempt, in milliseconds. */
  readonly attemptMs: number;
  /** It is worth asking again whether a call may start. */
  readonly wake: () => void;
  readonly fail: (error: MillraceError) => void;
}

/** Most functions that are told to stop need a moment for it: that is no news. */
const TELL_AFTER_MS = 1000;
/** As long as a circuit breaker waits for an upstream by default; never less than the task grants one attempt. */
const DEADLINE_MS = 300_000;

export class AbandonedCalls {
  /** How many there are. */
  count = 0;
  private readonly parts: AbandonedParts;
  private readonly deadlineMs: number;
  private sinceMs: number | undefined;
  private isTold = false;
  private cancelTimer: (() => void) | undefined;

  constructor(parts: AbandonedParts) {
    this.parts = parts;
    this.deadlineMs = Math.max(DEADLINE_MS, parts.attemptMs);
  }

  /** Whether a record waits for one of them to end. */
  get areWaitedFor(): boolean {
    return this.sinceMs !== undefined;
  }

  /**
   * A record was refused a slot, and only such calls hold them.
   * @param holder whose slots they are, for messages: `'Save'`.
   */
  block(holders: number, holder: string, nowMs: number): void {
    this.sinceMs ??= nowMs;
    const waitedMs = nowMs - this.sinceMs;
    if (waitedMs >= this.deadlineMs) {
      this.parts.fail(this.stalled(holders, holder));
      return;
    }
    if (!this.isTold && waitedMs >= TELL_AFTER_MS) {
      this.isTold = true;
      this.parts.scope.notice(
        `'${this.parts.scope.task}' waits: ${describe(holders, holder)}. ${ADVICE}; if none ends within ` +
          `${describeMs(this.deadlineMs)}, the run fails`,
      );
    }
    const dueMs = (this.isTold ? this.deadlineMs : TELL_AFTER_MS) - waitedMs;
    this.cancelTimer ??= this.parts.scope.clock.schedule(dueMs, () => {
      this.cancelTimer = undefined;
      this.parts.wake();
    });
  }

  /** One of them has ended, or a call may start all the same. */
  unblock(): void {
    this.sinceMs = undefined;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  private stalled(holders: number, holder: string): MillraceError {
    const { scope } = this.parts;
    return new MillraceError(
      'MILLRACE_STALLED',
      `The run stalled. '${scope.task}' has waited ${describeMs(this.deadlineMs)}: ${describe(holders, holder)}. ${ADVICE}`,
    );
  }
}

const ADVICE = 'Let the function end when `context.signal` aborts, or raise its timeout';

function describe(holders: number, holder: string): string {
  const all = holders === 1 ? `the one call that ${holder} may have` : `all ${holders} calls that ${holder} may have`;
  return `${all} under way took longer than the timeout, and the function goes on all the same`;
}
