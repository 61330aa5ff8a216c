/**
 * A clock that a test moves. Promise: nothing waits for real; timers fire in the order of their times, and of their
 * making where the times are equal; between two timers every promise, every turn of the event loop that is due, every
 * operation on a file and all work that was held has run, so a whole workflow, promises and files included, runs in
 * virtual time.
 */
import { MillraceError } from '../model/errors.js';
import type { Clock } from '../model/clock.js';
import { checkNumber } from '../options/options.js';
import { describeMs } from '../text/describe-ms.js';
import { TimerHeap, type Timer } from './timer-heap.js';

/**
 * A clock that stands still until a test moves it; timers of one time fire in the order of making.
 */
export interface VirtualClock extends Clock {
  /**
   * Moves time on by this many milliseconds, firing the timers on the way. Rejects with MILLRACE_INVALID_OPTION where that
   * is no number from 0 on.
   */
  advance(ms: number): Promise<void>;
  /**
   * Moves time on from timer to timer until the promise settles, and gives its result. Rejects with MILLRACE_STALLED
   * where no timer is left and nothing else happens, or where it has not settled within so many milliseconds of virtual
   * time (default: seven days): a run looks after itself by timers, so one that waits for what never comes has some left.
   */
  runUntil<T>(promise: PromiseLike<T>, withinMs?: number): Promise<T>;
  /**
   * Time stands still until this work has settled; gives the work back. For real work of a test's own that the clock
   * cannot see, such as packing, hashing or a request; not for what waits for a timer of this clock, which never comes
   * then. A run holds its own.
   *
   * @example asyncTask((text: string) => clock.hold(promisify(gzip)(text)))
   */
  hold<Work extends PromiseLike<unknown>>(work: Work): Work;
  /** How many timers wait. */
  readonly pending: number;
}

/** Seven days. */
const WITHIN_MS = 7 * 24 * 3_600_000;
/** Turns of the event loop without anything happening after which a run counts as waiting for time to pass. */
const IDLE_TURNS = 5;
/**
 * Turns in which something is done in memory alone after which time passes all the same: a source that gives records
 * without end would else let none pass. The count, and not real time, keeps one run like the next.
 */
const BUSY_TURNS = 500;
/** How long real work (a thread, a socket) has where no timer is left, in real milliseconds, looked at every so often. */
const REAL_WORK_MS = 2000;
const LOOK_EVERY_MS = 1;

/**
 * Makes a clock for `clock` of `RunOptions`; a run that is given it has no threads unless told so.
 *
 * @param startMs what `now` says at first; default 0, the beginning of 1970.
 * @throws MILLRACE_INVALID_OPTION where it is no number from 0 on.
 */
export function virtualClock(startMs = 0): VirtualClock {
  checkNumber('startMs', startMs, 0);
  return new TestClock(startMs);
}

class TestClock implements VirtualClock {
  /** Since the start: a moment of the calendar is too large a number to hold fractions of a millisecond. */
  private elapsedMs = 0;
  private readonly startMs: number;
  private readonly timers = new TimerHeap();
  private made = 0;
  private readonly heldWork = new Set<PromiseLike<unknown>>();
  /** Turns of the event loop that clocks of this process wait for. */
  private static turnsAsked = 0;

  constructor(startMs: number) {
    this.startMs = startMs;
  }

  get pending(): number {
    return this.timers.size;
  }

  now(): number {
    return this.startMs + this.elapsedMs;
  }

  monotonicMs(): number {
    return this.elapsedMs;
  }

  schedule(delayMs: number, action: () => void): () => void {
    const timer = { at: this.elapsedMs + Math.max(0, delayMs), order: this.made++, action };
    this.timers.add(timer);
    return () => {
      this.timers.remove(timer);
    };
  }

  defer(action: () => void): void {
    setImmediate(action);
  }

  hold<Work extends PromiseLike<unknown>>(work: Work): Work {
    const release = (): void => {
      this.heldWork.delete(work);
    };
    this.heldWork.add(work);
    work.then(release, release);
    return work;
  }

  async advance(ms: number): Promise<void> {
    checkNumber('ms', ms, 0);
    const until = this.elapsedMs + ms;
    await this.idle();
    for (let next = this.timers.first; next !== undefined && next.at <= until; next = this.timers.first) {
      this.fire(next);
      await this.idle();
    }
    this.elapsedMs = until;
  }

  async runUntil<T>(promise: PromiseLike<T>, withinMs = WITHIN_MS): Promise<T> {
    checkNumber('withinMs', withinMs, 0, Infinity);
    const until = this.elapsedMs + withinMs;
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    const hasSettled = (): boolean => isSettled;
    for (;;) {
      await this.idle();
      if (hasSettled()) return promise;
      const next = this.timers.first;
      if (next !== undefined && next.at > until) {
        throw new MillraceError(
          'MILLRACE_STALLED',
          `The promise has not settled within ${describeMs(withinMs)} of virtual time. Look for what never settles, or give \`runUntil\` longer`,
        );
      }
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
      if (hasSettled() || this.timers.size > 0) return true;
    }
    return false;
  }

  /** Until nothing is due, nothing is held and no operation on a file is under way. */
  private async idle(): Promise<void> {
    let quiet = 0;
    let busy = 0;
    while (quiet < IDLE_TURNS && busy < BUSY_TURNS) {
      await this.turn();
      const resources = process.getActiveResourcesInfo();
      const isWaiting = this.heldWork.size > 0 || resources.some(isOfFile);
      if (this.heldWork.size > 0) await Promise.allSettled(this.heldWork);
      const isBusy = resources.filter((name) => name === 'Immediate').length > TestClock.turnsAsked;
      quiet = isWaiting || isBusy ? 0 : quiet + 1;
      busy = isWaiting ? 0 : busy + 1;
    }
  }

  private turn(): Promise<void> {
    TestClock.turnsAsked++;
    return new Promise((resolve) => {
      setImmediate(() => {
        TestClock.turnsAsked--;
        resolve();
      });
    });
  }

  private fire(timer: Timer): void {
    this.timers.remove(timer);
    this.elapsedMs = Math.max(this.elapsedMs, timer.at);
    timer.action();
  }
}

/** Of the resources that Node counts as active. Closing a handle has a name of its own. */
function isOfFile(name: string): boolean {
  return name.startsWith('FSReq') || name === 'CloseReq';
}
