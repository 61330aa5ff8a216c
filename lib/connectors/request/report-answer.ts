/** Reports the outcome of an answered attempt once its answer is read. */
import { isPromiseLike, type Awaitable } from '../../connect/index.js';
import type { Attempt, CallOutcomes } from '../../calls/call.js';

/** @param read makes the output, or a promise of it, or throws. */
export function reportAnswer<In, Out>(
  read: () => Awaitable<Out>,
  attempt: Attempt<In>,
  outcomes: CallOutcomes<In, Out> | undefined,
): void {
  let reading: Awaitable<Out>;
  try {
    reading = read();
  } catch (error) {
    outcomes?.fail(attempt, error);
    return;
  }
  if (!isPromiseLike(reading)) {
    outcomes?.succeed(attempt, reading);
    return;
  }
  reading.then(
    (output) => outcomes?.succeed(attempt, output),
    (error: unknown) => outcomes?.fail(attempt, error),
  );
}
