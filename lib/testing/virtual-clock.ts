/**
 * A clock that a test moves.
 *
 * Guarantees: nothing waits in real time; timers fire in the order of their times, and timers with equal times in the
 * order of their creation. Between two timers, every promise, every due turn of the event loop, every file operation
 * and all work passed to `hold` has finished. So a whole workflow, including promises and files, runs in virtual time.
 */
import { MillraceError } from '../model/errors.js';
import type { Clock } from '../model/clock.js';
import { checkNumber } from '../options/options.js';
import { describeMs } from '../text/quantities.js';
import { TimerHeap, type Timer } from './timer-heap.js';

/**
 * A clock that stands still until a test moves it. Timers with equal times fire in the order of their creation.
 */
export interface VirtualClock extends Clock {
  /**
   * Advances the time by `ms` milliseconds and fires the timers on the way. Rejects with MILLRACE_INVALID_OPTION if
   * `ms` is not a number of at least 0.
   */
  advance(ms: number): Promise<void>;
  /**
   * Advances the time from timer to timer until the promise settles, and resolves with its result. Rejects with
   * MILLRACE_STALLED if no timer is left and nothing else happens, or if the promise has not settled within `withinMs`
   * milliseconds of virtual time (default: seven days). The second case exists because a run always has timers of its
   * own, also when it waits for something that never happens.
   */
  runUntil<T>(promise: PromiseLike<T>, withinMs?: number): Promise<T>;
  /**
   * Stops the time until `work` has settled, and returns `work`. Use it for real work in a test that the clock cannot
   * see, such as compressing, hashing or a request. Do not use it for work that waits for a timer of this clock: that
   * timer would never fire. A run calls it for its own work.
   *
   * @example asyncTask((text: string) => clock.hold(promisify(gzip)(text)))
   */
  hold<Work extends PromiseLike<unknown>>(work: Work): Work;
  /** The number of pending timers. */
  readonly pending: number;
}

/** Seven days. */
const WITHIN_MS = 7 * 24 * 3_600_000;
/** After this many turns of the event loop without any work, a run counts as waiting for time to pass. */
const IDLE_TURNS = 5;
/**
 * After this many turns with work in memory alone, time passes nevertheless. Otherwise a source that emits records
 * without end would stop the time for ever. The limit is a count and not a real time, so that every execution is the
 * same.
 */
const BUSY_TURNS = 500;
/** If no timer is left, real work (a thread, a socket) has this many real milliseconds to make progress. */
const REAL_WORK_MS = 2000;
/** The interval of the checks during that time. */
const LOOK_EVERY_MS = 1;

/**
 * Makes a clock for `clock` of `RunOptions`. A run with this clock has no threads by default.
 *
 * @param startMs the first value of `now`. Default 0, the beginning of 1970.
 * @throws MILLRACE_INVALID_OPTION if `startMs` is not a number of at least 0.
 */
export function virtualClock(startMs = 0): VirtualClock {
  checkNumber('startMs', startMs, 0);
  return new TestClock(startMs);
}

class TestClock implements VirtualClock {
  /** Milliseconds since the start. A calendar time is too large a number to keep fractions of a millisecond. */
  private elapsedMs = 0;
  private readonly startMs: number;
  private readonly timers = new TimerHeap();
  private created = 0;
  private readonly heldWork = new Set<PromiseLike<unknown>>();
  /** The number of event loop turns that the clocks of this process wait for. */
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
    const timer = { at: this.elapsedMs + Math.max(0, delayMs), order: this.created++, action };
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
          `The promise has not settled within ${describeMs(withinMs)} of virtual time. Find the work that never settles, or pass a larger \`withinMs\` to \`runUntil\``,
        );
      }
      if (next !== undefined) this.fire(next);
      else if (!(await this.waitForRealWork(hasSettled))) {
        throw new MillraceError(
          'MILLRACE_STALLED',
          'The promise does not settle: no timer is pending and no work is in progress. Find the work that never settles',
        );
      }
    }
  }

  /** Waits in real time for real work to finish or to set a timer. Returns false if neither happens. */
  private async waitForRealWork(hasSettled: () => boolean): Promise<boolean> {
    for (let waitedMs = 0; waitedMs < REAL_WORK_MS; waitedMs += LOOK_EVERY_MS) {
      await new Promise<void>((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      if (hasSettled() || this.timers.size > 0) return true;
    }
    return false;
  }

  /** Waits until no turn is due, no work is held and no file operation is in progress. */
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

/** Whether an active resource of Node is a file operation. Closing a file handle has a separate name. */
function isOfFile(name: string): boolean {
  return name.startsWith('FSReq') || name === 'CloseReq';
}
