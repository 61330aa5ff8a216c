/**
 * Keeps synchronous stretches short. Promises: who asks `isLong` between pieces of work and defers when it says so
 * lets timers and sockets be served about every `sliceMs`, and costs nothing where the event loop turns by itself; a clock
 * that stands still, as a virtual one does within a turn, is replaced by counting, so the event loop turns there too;
 * what was deferred goes on in that order, so that nobody who uses up each turn keeps others from theirs.
 */
import { holdClock, type Clock } from '../model/clock.js';

/** While no time passes: looks after which a turn counts as long. A number, and not real time, so that runs are alike. */
const LOOKS = 8;

export class Turn {
  private readonly clock: Clock;
  private readonly sliceMs: number;
  private startedAtMs = 0;
  private isMarked = false;
  /** Looks in this turn that saw no time pass. */
  private looks = 0;
  /** At most one action of each operator. */
  private readonly deferred: (() => void)[] = [];

  /** @param sliceMs how long a synchronous stretch may last, in milliseconds. */
  constructor(clock: Clock, sliceMs = 10) {
    this.clock = clock;
    this.sliceMs = sliceMs;
  }

  /** Whether the present turn of the event loop has been ours for longer than the slice. `nowMs` saves a look at the clock. */
  isLong(nowMs = this.clock.monotonicMs()): boolean {
    if (!this.isMarked) {
      this.isMarked = true;
      this.startedAtMs = nowMs;
      this.looks = 0;
      this.clock.defer(() => {
        this.isMarked = false;
      });
      return false;
    }
    if (nowMs === this.startedAtMs) return ++this.looks >= LOOKS;
    return nowMs - this.startedAtMs > this.sliceMs;
  }

  /** Goes on in the next turn, or in a later one where others that were deferred before take all of it. */
  defer(action: () => void): void {
    this.deferred.push(action);
    this.clock.defer(this.goOn);
  }

  /** Resolves in the next turn, or in a later one. */
  pause(): Promise<void> {
    return new Promise((resolve) => {
      this.defer(resolve);
    });
  }

  /** Tells the clock that the run waits for this work outside of its time. */
  hold<Work extends PromiseLike<unknown>>(work: Work): Work {
    return holdClock(this.clock, work);
  }

  /** Called once for each: what follows from one action, promises too, is over before the next. */
  private readonly goOn = (): void => {
    if (this.isLong()) this.clock.defer(this.goOn);
    else this.deferred.shift()?.();
  };
}
