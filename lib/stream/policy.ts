/**
 * What all policies of calls have in common: each is an immutable value that says in one line what it does, and several
 * make a `CallPolicies`, in which the last of a kind holds. State (a bucket, a circuit) is made per run, not kept here.
 */
import { MillraceError, describeValue } from '../core/errors.js';

/** Refuses an option that must be a finite number within bounds. `upTo` may be Infinity to allow Infinity itself. */
export function checkNumber(name: string, value: number, from: number, upTo = Number.MAX_VALUE): void {
  if (typeof value === 'number' && value >= from && value <= upTo) return;
  const bounds = upTo >= Number.MAX_VALUE ? `of at least ${from}` : `from ${from} to ${upTo}`;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected \`${name}\` to be a number ${bounds}, got ${describeValue(value)}`,
  );
}

/** Refuses an option that must be a whole number within bounds. */
export function checkCount(name: string, value: number, from = 1): void {
  if (Number.isSafeInteger(value) && value >= from) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected \`${name}\` to be a whole number of at least ${from}, got ${describeValue(value)}`,
  );
}

/** Refuses keys that no option has, so that none is parsed and ignored. */
export function checkKeys(of: string, given: object, known: readonly string[]): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    throw new MillraceError('MILLRACE_INVALID_OPTION', `${of} has no option \`${key}\`. It takes ${known.join(', ')}`);
  }
}

/** 250 as `250 ms`, 30000 as `30 s`. */
export function describeMs(ms: number): string {
  if (!Number.isFinite(ms)) return 'for ever';
  return ms >= 1000 ? `${Math.round(ms / 100) / 10} s` : `${Math.round(ms * 10) / 10} ms`;
}
