/**
 * The attempts under way, in the order in which they started. As all of them have the same timeout, the oldest is the
 * next to time out: one timer serves any number of attempts, and adding and removing are O(1).
 *
 * Promise: `onTimeout` is called for an attempt once, not before its time, and never after it was removed; after `stop`,
 * also where a timeout is what stops the run, nothing is called and no timer left.
 */
import type { Clock } from '../model/ports.js';
import type { Attempt } from './call.js';

export interface RunningHandlers<In> {
  readonly onTimeout: (attempt: Attempt<In>) => void;
  /** Called for attempts that run longer than `hedgeAfterMs`, once each. */
  readonly onSlow: (attempt: Attempt<In>) => void;
  /** Milliseconds; Infinity while nothing is to be hedged. Asked anew each time. */
  readonly hedgeAfterMs: () => number;
}

export class RunningAttempts<In> {
  private readonly timeoutMs: number;
  private readonly clock: Clock;
  private readonly handlers: RunningHandlers<In>;
  private oldest: Attempt<In> | undefined;
  private newest: Attempt<In> | undefined;
  private cancelTimer: (() => void) | undefined;
  private timerAtMs = Infinity;
  private isStopped = false;

  constructor(timeoutMs: number, clock: Clock, handlers: RunningHandlers<In>) {
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

  /** Every attempt under way, oldest first; they may be removed meanwhile. */
  *all(): Generator<Attempt<In>, void, undefined> {
    for (let attempt = this.oldest; attempt !== undefined;) {
      const { next } = attempt;
      yield attempt;
      attempt = next;
    }
  }

  /** Forgets them all: none times out any more, and no timer is left. */
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
    this.cancelTimer = this.clock.schedule(Math.max(0, atMs - nowMs), this.look);
  }

  private readonly look = (): void => {
    this.timerAtMs = Infinity;
    this.cancelTimer = undefined;
    const nowMs = this.clock.monotonicMs();
    const hedgeAfterMs = this.handlers.hedgeAfterMs();
    let nextAtMs = Infinity;
    for (const attempt of this.all()) {
      if (this.isStopped) return;
      // Compared as moments, as they were armed: as ages, rounding could leave one forever a hair too young.
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
          // All that follow are younger.
          nextAtMs = Math.min(nextAtMs, slowAtMs);
          break;
        }
      }
    }
    // A timeout may have started others, which armed the timer already, or have ended the run.
    if (!this.isStopped && nextAtMs < this.timerAtMs) this.arm(nextAtMs, nowMs);
  };
}
