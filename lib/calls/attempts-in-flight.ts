/**
 * The attempts in flight, in start order. All attempts of a task have the same timeout, so the oldest attempt is the
 * next to time out: one timer serves all of them, and adding and removing an attempt are O(1).
 *
 * Guarantees: `onTimeout` is called once per attempt, not before its time, and never after the attempt was removed.
 * After `stop` no handler is called and no timer is left, even if a handler called `stop`.
 */
import type { Clock } from '../model/clock.js';
import type { Attempt } from './call.js';

export interface InFlightHandlers<In> {
  readonly onTimeout: (attempt: Attempt<In>) => void;
  /** Called once per attempt that runs longer than `hedgeAfterMs`. */
  readonly onSlow: (attempt: Attempt<In>) => void;
  /**
   * In milliseconds; Infinity while nothing is hedged. A function, because the value follows the measured latencies.
   */
  readonly hedgeAfterMs: () => number;
}

export class AttemptsInFlight<In> {
  private readonly timeoutMs: number;
  private readonly clock: Clock;
  private readonly handlers: InFlightHandlers<In>;
  private oldest: Attempt<In> | undefined;
  private newest: Attempt<In> | undefined;
  private cancelTimer: (() => void) | undefined;
  private timerAtMs = Infinity;
  private isStopped = false;

  constructor(timeoutMs: number, clock: Clock, handlers: InFlightHandlers<In>) {
    this.timeoutMs = timeoutMs;
    this.clock = clock;
    this.handlers = handlers;
  }

  add(attempt: Attempt<In>, nowMs: number): void {
    attempt.previous = this.newest;
    if (this.newest === undefined) this.oldest = attempt;
    else this.newest.next = attempt;
    this.newest = attempt;
    if (this.timerAtMs === Infinity) this.arm(attempt.startedAtMs + this.timeoutMs, nowMs);
    const hedgeAfterMs = this.handlers.hedgeAfterMs();
    if (nowMs + hedgeAfterMs < this.timerAtMs) this.arm(nowMs + hedgeAfterMs, nowMs);
  }

  remove(attempt: Attempt<In>): void {
    const { previous, next } = attempt;
    if (previous === undefined) this.oldest = next;
    else previous.next = next;
    if (next === undefined) this.newest = previous;
    else next.previous = previous;
    attempt.previous = undefined;
    attempt.next = undefined;
  }

  /** The number of attempts in flight. It costs one step per attempt. */
  count(): number {
    let count = 0;
    for (let attempt = this.oldest; attempt !== undefined; attempt = attempt.next) count++;
    return count;
  }

  /** All attempts in flight, oldest first. The attempt that was yielded may be removed before the next one. */
  *all(): Generator<Attempt<In>, void, undefined> {
    for (let attempt = this.oldest; attempt !== undefined;) {
      const { next } = attempt;
      yield attempt;
      attempt = next;
    }
  }

  /** Drops all attempts and the timer. */
  stop(): void {
    this.isStopped = true;
    this.oldest = undefined;
    this.newest = undefined;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.timerAtMs = Infinity;
  }

  private arm(atMs: number, nowMs: number): void {
    this.cancelTimer?.();
    this.timerAtMs = atMs;
    this.cancelTimer = this.clock.schedule(Math.max(0, atMs - nowMs), this.checkAll);
  }

  private readonly checkAll = (): void => {
    this.timerAtMs = Infinity;
    this.cancelTimer = undefined;
    const nowMs = this.clock.monotonicMs();
    const hedgeAfterMs = this.handlers.hedgeAfterMs();
    let nextAtMs = Infinity;
    for (const attempt of this.all()) {
      if (this.isStopped) return;
      // Compares points in time, as the timer does. A comparison of ages could find an attempt too young for ever,
      // because of rounding.
      const endsAtMs = attempt.startedAtMs + this.timeoutMs;
      const slowAtMs = attempt.startedAtMs + hedgeAfterMs;
      if (nowMs >= endsAtMs) this.handlers.onTimeout(attempt);
      else {
        nextAtMs = Math.min(nextAtMs, endsAtMs);
        if (attempt.isHedged || attempt.isHedge) continue;
        if (nowMs >= slowAtMs) {
          attempt.isHedged = true;
          this.handlers.onSlow(attempt);
        } else {
          // All attempts that follow are younger.
          nextAtMs = Math.min(nextAtMs, slowAtMs);
          break;
        }
      }
    }
    // A timeout may have started other attempts, which armed the timer, or may have ended the run.
    if (!this.isStopped && nextAtMs < this.timerAtMs) this.arm(nextAtMs, nowMs);
  };
}
