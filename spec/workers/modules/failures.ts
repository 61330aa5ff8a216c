/** One function that fails in every way an error can look. */
import { MillraceError } from '#lib/model/errors.js';
import { threadFunction } from '#lib/execution/thread-function.js';

export class CustomError extends Error {
  readonly code = 'E_CUSTOM';
  readonly detail = { at: 3 };
  readonly callback = (): void => undefined;
}

export const failures = threadFunction(import.meta.url, 'failures', (kind: unknown): never => {
  if (kind === 'range') throw new RangeError('too far', { cause: new TypeError('why') });
  if (kind === 'custom') throw new CustomError('mine');
  if (kind === 'ours') throw new MillraceError('MILLRACE_NETWORK', 'no route', { retryable: true });
  if (kind === 'aggregate') throw new AggregateError([new SyntaxError('one')], 'several');
  throw 'just a string';
});
