/** Turns by key: with many records of one key waiting, records of another key still get every second turn. */
import { MillraceError, describeValue } from '../../model/errors.js';

/** Turns by key: with many records of one key waiting, others still get every second turn. */
export class Fairness {
  /** The last fairness named in a set holds. */
  readonly kind = 'fairness';
  /** The key of a record, compared as a Map compares keys. */
  readonly keyOf: (record: never) => unknown;

  constructor(keyOf: (record: never) => unknown) {
    if (typeof keyOf !== 'function') {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `Expected the key of fairness to be a function, got ${describeValue(keyOf)}`,
      );
    }
    this.keyOf = keyOf;
  }

  /** Names the function of the key, as the summary of a run shows it. */
  toString(): string {
    return `fair turns${this.keyOf.name === '' ? ' by key' : ` by ${this.keyOf.name}`}`;
  }
}

/**
 * Lets the waiting records of a task take turns by key, e.g. by tenant. Throws
 * MILLRACE_INVALID_OPTION where `keyOf` is no function.
 *
 * @example fairBy((request: Request) => request.tenant)
 */
export function fairBy<In>(keyOf: (record: In) => unknown): Fairness {
  return new Fairness(keyOf);
}
