/** The clock of the machine. Promise: delays above the limit of timers are waited for in full instead of firing at once. */
import type { Clock } from '../../model/ports.js';

/** Longer delays make `setTimeout` fire at once. */
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
