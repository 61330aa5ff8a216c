/**
 * Keeps synchronous stretches of work short.
 *
 * Guarantees: code that checks `isLong` between pieces of work, and defers when it is true, lets timers and sockets run
 * about every `sliceMs`; it costs nothing where the event loop turns anyway. If the clock stands still within a turn,
 * as a virtual clock does, calls are counted instead, so the event loop turns there too. Deferred actions run in order,
 * so an operator that uses up each turn cannot starve the others.
 */
import { holdClock, type Clock } from '../model/clock.js';

/**
 * While no time passes, a turn is long after this many calls of `isLong`. A count, not real time, makes runs
 * repeatable.
 */
const LOOKS = 8;

/** The most calls of `runNext` that the clock holds at a time. */
const MOST_SCHEDULED = 64;

export class Turn {
  private readonly clock: Clock;
  private readonly sliceMs: number;
  private startedAtMs = 0;
  private hasStarted = false;
  /** Calls of `isLong` in this turn during which no time had passed. */
  private looks = 0;
  /** Holds at most one action per operator, or per paused record of it. Those before `head` have run. */
  private deferred: (() => void)[] = [];
  private head = 0;
  /** Calls of `runNext` that the clock will make. */
  private scheduled = 0;

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
    this.schedule();
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
    this.scheduled--;
    if (!this.isLong()) {
      const action = this.deferred[this.head];
      if (++this.head >= this.deferred.length) {
        this.deferred = [];
        this.head = 0;
      }
      action?.();
    }
    // If this turn has become long, the remaining actions run in the next one.
    if (this.scheduled === 0) this.schedule();
  };

  /** Calls `runNext` once per action. Thousands may wait, and only some can run in one turn. */
  private schedule(): void {
    const wanted = Math.min(MOST_SCHEDULED, this.deferred.length - this.head);
    for (; this.scheduled < wanted; this.scheduled++) this.clock.defer(this.runNext);
  }
}
