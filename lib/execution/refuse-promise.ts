/** The error for a promise from a function whose kind of task is synchronous. */
import { isPromiseLike } from '../model/awaitable.js';
import { FatalTaskError } from '../model/errors.js';

/**
 * Throws MILLRACE_INVALID_OPTION if the value is a promise.
 * @param source what returned the value, such as "`add` of 'Totals'".
 */
export function refusePromise(value: unknown, source: string): void {
  if (!isPromiseLike(value)) return;
  // A promise that nobody waits for may be rejected, which would end the process.
  value.then(undefined, () => undefined);
  throw new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `${source} returned a promise, but a state is made of values. Make it synchronous, and do asynchronous work in an asyncTask in front of it or behind it`,
  );
}
