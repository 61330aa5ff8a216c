/** Delays, silence and resets of a network, on a clock. */
import type { Clock } from '../model/clock.js';

/** Waits for `ms`, or until the signal aborts. Leaves no timer behind. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.schedule(ms, end);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}

/** Waits until the signal aborts. */
export function silence(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve();
      },
      { once: true },
    );
    if (signal.aborted) resolve();
  });
}

/** The error that a client gets when its peer resets the connection. */
export function connectionReset(): Error {
  return Object.assign(new Error('the connection was reset'), { code: 'ECONNRESET' });
}
