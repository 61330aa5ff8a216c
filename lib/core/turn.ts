/**
 * Keeps synchronous stretches short. Promise: who asks `isLong` between pieces of work and defers when it says so
 * lets timers and sockets be served about every `sliceMs`, and costs nothing where the event loop turns by itself.
 */
import type { Clock } from './clock.js';

export class Turn {
  private readonly clock: Clock;
  private readonly sliceMs: number;
  private startedAtMs = 0;
  private isMarked = false;

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
      this.clock.defer(() => {
        this.isMarked = false;
      });
      return false;
    }
    return nowMs - this.startedAtMs > this.sliceMs;
  }

  /** Goes on in the next turn. */
  defer(action: () => void): void {
    this.clock.defer(action);
  }

  /** Resolves in the next turn. */
  pause(): Promise<void> {
    return new Promise((resolve) => {
      this.clock.defer(resolve);
    });
  }
}
