/**
 * Keeps synchronous stretches of work short.
 *
 * Guarantees: code that checks `isLong` between pieces of work, and defers when it is true, lets timers and sockets run about
 * every `sliceMs`; it costs nothing where the event loop turns anyway. A clock that stands still within a turn, such as a
 * virtual one, is replaced by counting, so the event loop turns there too. Deferred actions run in order, so an operator
 * that uses up each turn cannot keep others from theirs.
 */
import { holdClock, type Clock } from '../model/clock.js';

/** While no time passes, a turn is long after this many calls of `isLong`. A count, not real time, makes runs repeatable. */
const LOOKS = 8;

export class Turn {
  private readonly clock: Clock;
  private readonly sliceMs: number;
  private startedAtMs = 0;
  private hasStarted = false;
  /** Calls of `isLong` in this turn during which no time had passed. */
  private looks = 0;
  /** Holds at most one action per operator. */
  private readonly deferred: (() => void)[] = [];

  /** @param sliceMs how long a synchronous stretch may last, in milliseconds. */
  constructor(clock: Clock, sliceMs = 10) {
    this.clock = clock;
    this.sliceMs = sliceMs;
  }

  /** Whether this turn of the event loop has lasted longer than the slice. `nowMs` saves a call of the clock. */
  isLong(nowMs = this.clock.monotonicMs()): boolean {
    if (!this.hasStarted) {
      this.hasStarted = true;
      this.startedAtMs = nowMs;
      this.looks = 0;
      this.clock.defer(() => {
        this.hasStarted = false;
      });
      return false;
    }
    if (nowMs === this.startedAtMs) return ++this.looks >= LOOKS;
    return nowMs - this.startedAtMs > this.sliceMs;
  }

  /** Runs the action in the next turn, or in a later one if actions deferred earlier use up the next. */
  defer(action: () => void): void {
    this.deferred.push(action);
    this.clock.defer(this.runNext);
  }

  /** Resolves in the next turn or a later one. */
  pause(): Promise<void> {
    return new Promise((resolve) => {
      this.defer(resolve);
    });
  }

  /** Holds a manual clock until the work has settled; returns the work. */
  hold<Work extends PromiseLike<unknown>>(work: Work): Work {
    return holdClock(this.clock, work);
  }

  /** Runs one action per call, so that its consequences, promises included, end before the next action. */
  private readonly runNext = (): void => {
    if (this.isLong()) this.clock.defer(this.runNext);
    else this.deferred.shift()?.();
  };
}
