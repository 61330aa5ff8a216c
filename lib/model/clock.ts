/** The port of time, and the clock of the machine, which runs use unless a test brings a virtual one. */

/**
 * The time of a run.
 *
 * Contract: `schedule` calls `action` at most once, not before `delayMs`, never synchronously, and never after the
 * returned function was called. Delays above 2^31−1 ms last in full. `defer` calls `action` in the next turn of the
 * event loop. Timers alone do not keep a process alive once the run has ended.
 */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Calls `action` once after `delayMs` milliseconds; the returned function cancels it. */
  schedule(delayMs: number, action: () => void): () => void;
  /** Calls `action` in the next turn of the event loop. */
  defer(action: () => void): void;
  /**
   * Reports that the run waits for work that no timer of this clock ends, such as a file operation; returns the work. A
   * manual clock stands still until the work has settled. A clock that runs by itself does not need this method.
   */
  hold?<Work extends PromiseLike<unknown>>(work: Work): Work;
}

/** Stops a manual clock until the work has settled; returns the work. Has no effect on other clocks. */
export function holdClock<Work extends PromiseLike<unknown>>(clock: Pick<Clock, 'hold'>, work: Work): Work {
  return clock.hold?.(work) ?? work;
}

/**
 * Waits for `delayMs`, or until the signal aborts. Resolves with true after the time, and with false after an abort.
 * Leaves no timer and no listener behind.
 */
export function sleep(
  clock: Pick<Clock, 'schedule'>,
  delayMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isTime: boolean): void => {
      cancel();
      signal?.removeEventListener('abort', onAbort);
      resolve(isTime);
    };
    const cancel = clock.schedule(delayMs, () => {
      end(true);
    });
    const onAbort = (): void => {
      end(false);
    };
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** `setTimeout` fires at once for longer delays. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The clock of the machine. A delay above the limit of timers lasts its full time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule: (delayMs, action) => {
    let left = Math.max(0, delayMs);
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const part = Math.min(left, MAX_TIMER_MS);
      left -= part;
      timer = setTimeout(() => {
        if (left > 0) arm();
        else action();
      }, part);
    };
    arm();
    return () => {
      clearTimeout(timer);
    };
  },
  defer: (action) => {
    setImmediate(action);
  },
};
