/**
 * A clock that a test moves. Promise: nothing waits for real; timers fire in the order of their times, and of their
 * making where the times are equal; between two timers every promise and every turn of the event loop that is due has
 * run, so a whole workflow, promises included, runs in virtual time.
 */
import { MillraceError } from '../core/errors.js';
import type { Clock } from '../core/clock.js';

export interface VirtualClock extends Clock {
  /** Moves time on by this many milliseconds, firing the timers on the way. */
  advance(ms: number): Promise<void>;
  /**
   * Moves time on from timer to timer until the promise settles, and gives its result. Rejects where no timer is left
   * and nothing else happens.
   */
  runUntil<T>(promise: PromiseLike<T>): Promise<T>;
  /** How many timers wait. */
  readonly pending: number;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
}

/** Turns of the event loop without anything happening after which a run counts as waiting for time to pass. */
const IDLE_TURNS = 5;
/** The same, where real work (a file, a thread) may be under way and no timer is left. */
const IDLE_TURNS_WITHOUT_TIMERS = 2000;

/** @param startMs what `now` says at first; default 0, the beginning of 1970. */
export function virtualClock(startMs = 0): VirtualClock {
  return new TestClock(startMs);
}

class TestClock implements VirtualClock {
  /** Since the start: a moment of the calendar is too large a number to hold fractions of a millisecond. */
  private elapsedMs = 0;
  private readonly startMs: number;
  private timers: Timer[] = [];
  private made = 0;

  constructor(startMs: number) {
    this.startMs = startMs;
  }

  get pending(): number {
    return this.timers.length;
  }

  now(): number {
    return this.startMs + this.elapsedMs;
  }

  monotonicMs(): number {
    return this.elapsedMs;
  }

  schedule(delayMs: number, action: () => void): () => void {
    const timer = { at: this.elapsedMs + Math.max(0, delayMs), order: this.made++, action };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  defer(action: () => void): void {
    setImmediate(action);
  }

  async advance(ms: number): Promise<void> {
    const until = this.elapsedMs + ms;
    await turns(IDLE_TURNS);
    for (let next = this.next(); next !== undefined && next.at <= until; next = this.next()) {
      this.fire(next);
      await turns(IDLE_TURNS);
    }
    this.elapsedMs = until;
  }

  async runUntil<T>(promise: PromiseLike<T>): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    const hasSettled = (): boolean => isSettled;
    for (;;) {
      await turns(IDLE_TURNS);
      if (hasSettled()) return promise;
      const next = this.next();
      if (next !== undefined) this.fire(next);
      else if (!(await this.happens(hasSettled))) {
        throw new MillraceError(
          'MILLRACE_STALLED',
          'The promise does not settle: no timer is left and nothing happens',
        );
      }
    }
  }

  /** Gives real work time to finish or to set a timer. */
  private async happens(hasSettled: () => boolean): Promise<boolean> {
    for (let turn = 0; turn < IDLE_TURNS_WITHOUT_TIMERS; turn++) {
      await turns(1);
      if (hasSettled() || this.timers.length > 0) return true;
    }
    return false;
  }

  private next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers) {
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) {
        first = timer;
      }
    }
    return first;
  }

  private fire(timer: Timer): void {
    this.timers = this.timers.filter((other) => other !== timer);
    this.elapsedMs = Math.max(this.elapsedMs, timer.at);
    timer.action();
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
