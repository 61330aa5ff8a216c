/**
 * How many records the next request takes: one, or as many as are there when enough have come or one has waited long
 * enough. Promise: no record waits for company longer than `waitMs`, nor at all once the input is over.
 */
import type { Clock } from '../model/ports.js';
import type { Delays } from './delays.js';

export interface GroupOptions {
  /** The most records of one request. */
  readonly max: number;
  /** The most milliseconds a record waits for others. */
  readonly waitMs: number;
}

export class CallGrouping {
  private readonly options: GroupOptions;
  private readonly delays: Delays;
  private readonly clock: Clock;
  private readonly wake: () => void;
  private sinceMs: number | undefined;
  private cancelTimer: (() => void) | undefined;

  /** @param wake called when a group may be due that was not. */
  constructor(options: GroupOptions, clock: Clock, delays: Delays, wake: () => void) {
    this.options = options;
    this.clock = clock;
    this.delays = delays;
    this.wake = wake;
  }

  /** The size of the group that may go now, of so many candidates; 0: it waits for more. */
  sizeOf(candidates: number, isInputOver: boolean): number {
    const { max, waitMs } = this.options;
    const nowMs = this.clock.monotonicMs();
    this.sinceMs ??= nowMs;
    const waitedMs = nowMs - this.sinceMs;
    if (candidates >= max || isInputOver || waitedMs >= waitMs) return Math.min(max, candidates);
    this.cancelTimer ??= this.delays.after(waitMs - waitedMs, () => {
      this.cancelTimer = undefined;
      this.wake();
    });
    return 0;
  }

  /** A group has gone; what is left over begins to wait now. */
  leave(): void {
    this.sinceMs = undefined;
  }
}
