/** Delays, silence and resets of a network, on a clock. */
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
