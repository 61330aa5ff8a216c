/** The port of time: the machine's clock in production, a virtual one in a test. */

/**
 * Time, as the run sees it.
 *
 * Contract: `schedule` calls `action` at most once, not before `delayMs`, never synchronously, and never after the
 * returned function was called. Delays above 2^31−1 ms are waited for in full. `defer` calls in the next turn of the
 * event loop. Timers do not keep a process alive by themselves once the run has ended.
 */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Calls `action` once after `delayMs` milliseconds; the function it gives back cancels that. */
  schedule(delayMs: number, action: () => void): () => void;
  /** Calls `action` in the next turn of the event loop. */
  defer(action: () => void): void;
  /**
   * Says that the run waits for work that no timer of this clock ends, such as that of a file, and gives the work back. A
   * clock that is moved by hand stands still until it has settled; one that goes by itself need not have this.
   */
  hold?<Work extends PromiseLike<unknown>>(work: Work): Work;
}

/** Holds a clock that is moved by hand until the work has settled; returns the work. Does nothing with other clocks. */
export function holdClock<Work extends PromiseLike<unknown>>(clock: Pick<Clock, 'hold'>, work: Work): Work {
  return clock.hold?.(work) ?? work;
}
