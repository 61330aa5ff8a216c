/**
 * The clock of the machine.
 *
 * Guarantees: a delay above the limit of timers lasts its full time.
 */
import type { Clock } from '../../model/ports.js';

/** `setTimeout` fires at once for longer delays. */
const MAX_TIMER_MS = 2 ** 31 - 1;

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
