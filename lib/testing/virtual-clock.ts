/**
 * A clock that a test moves. Promise: nothing waits for real; timers fire in the order of their times, and of their
 * making where the times are equal; between two timers every promise, every turn of the event loop that is due and every
 * operation on a file has run, so a whole workflow, promises included, runs in virtual time.
 */
import { MillraceError } from '../core/errors.js';
import type { Clock } from '../core/clock.js';

/**
 * A clock that stands still until a test moves it; timers of one time fire in the order of making.
 */
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
/** How long real work (a thread, a socket) has where no timer is left, in real milliseconds, looked at every so often. */
const REAL_WORK_MS = 2000;
const LOOK_EVERY_MS = 1;

/**
 * Makes a clock for `clock` of `RunOptions`; a run that is given it has no threads unless told so.
 *
 * @param startMs what `now` says at first; default 0, the beginning of 1970.
 */
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
    await idle();
    for (let next = this.next(); next !== undefined && next.at <= until; next = this.next()) {
      this.fire(next);
      await idle();
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
      await idle();
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
    for (let waitedMs = 0; waitedMs < REAL_WORK_MS; waitedMs += LOOK_EVERY_MS) {
      await new Promise<void>((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
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

/** Until nothing is due, and no operation on a file is under way. */
async function idle(): Promise<void> {
  do await turns(IDLE_TURNS);
  while (process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq')));
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
