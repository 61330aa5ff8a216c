/** Fair queueing: the waiting records of a task are served round robin by key. */
import { checkFunction } from '../../options/options.js';

/** Serves waiting records round robin by key: many records with one key do not delay the records of another key. */
export class Fairness {
  /** Of several in a set, the last one applies. */
  readonly kind = 'fairness';
  /** Returns the key of a record. Keys are compared as a Map compares them. */
  readonly keyOf: (record: never) => unknown;

  constructor(keyOf: (record: never) => unknown) {
    checkFunction('the key of fairness', keyOf);
    this.keyOf = keyOf;
  }

  /** The name of the key function, as the summary of a run shows it. */
  toString(): string {
    return `fair turns${this.keyOf.name === '' ? ' by key' : ` by ${this.keyOf.name}`}`;
  }
}

/**
 * Serves the waiting records of a task round robin by key, for example by tenant. Throws MILLRACE_INVALID_OPTION if
 * `keyOf` is not a function.
 *
 * @example fairBy((request: Request) => request.tenant)
 */
export function fairBy<In>(keyOf: (record: In) => unknown): Fairness {
  return new Fairness(keyOf);
}
