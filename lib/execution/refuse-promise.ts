/** The error for a promise from a function whose kind of task is synchronous. */
import { isPromiseLike } from '../model/awaitable.js';
import { FatalTaskError } from '../model/errors.js';

/**
 * Throws MILLRACE_INVALID_OPTION if the value is a promise.
 * @param source the function that returned the value, such as "`add` of 'Totals'".
 */
export function refusePromise(value: unknown, source: string): void {
  if (!isPromiseLike(value)) return;
  // The rejection of a promise that no code handles would end the process.
  value.then(undefined, () => undefined);
  throw new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `${source} returned a promise, but a value is needed here. Do asynchronous work in an asyncTask before or after it`,
  );
}
