/**
 * The data on an edge: batches of records, each slot with its lineage.
 *
 * Guarantees: a slot never disappears. A record that ends early leaves `GONE` in its slot, so joins and counters
 * see every lineage exactly once and never wait for one that will not come.
 */

import { brandOf, shareClass } from './shared-class.js';

/** The number a root gave to a record at birth: 0, 1, 2, … per root. */
export type Lineage = number;

/**
 * The value in the slot of a record that ended early (filtered, skipped, dead-lettered). Test it by identity, never by
 * truthiness. The symbol is registered, because a task of another copy of the package emits it too.
 */
export const GONE: unique symbol = Symbol.for('millrace.gone') as never;
/** The type of `GONE`. */
export type Gone = typeof GONE;

/**
 * `value === GONE` for loops over records. V8 calls a builtin to compare an object with a symbol; the type of a value is
 * one load.
 */
export function isGone(value: unknown): value is Gone {
  return typeof value === 'symbol' && value === GONE;
}

/**
 * A sequence of records that travels together. `lineages` and `values` have one slot per record. Neither changes after
 * the batch was emitted, so one-to-one tasks pass `lineages` on without a copy.
 */
export class Batch<T> {
  /** The lineage of each slot. */
  readonly lineages: readonly Lineage[];
  /** The record of each slot, or `GONE`. */
  readonly values: readonly (T | Gone)[];
  /** The number of `GONE` slots; with 0, consumers can use loops without the test. */
  readonly gone: number;

  constructor(lineages: readonly Lineage[], values: readonly (T | Gone)[], gone: number) {
    this.lineages = lineages;
    this.values = values;
    this.gone = gone;
  }

  /** How many slots there are. */
  get length(): number {
    return this.lineages.length;
  }
}

const NO_LINEAGES: Lineage[] = [];
const NO_VALUES: never[] = [];

/** Collects slots until `build` returns them as one batch. */
export class BatchBuilder<T> {
  private lineages = NO_LINEAGES;
  private values: (T | Gone)[] = NO_VALUES;
  private count = 0;
  private gone = 0;
  /** The room of the next arrays, which is what the last batch needed: arrays that grow are copied several times. */
  private room = 1;

  /** How many slots were added. */
  get length(): number {
    return this.count;
  }

  /** Adds a slot. */
  push(lineage: Lineage, value: T | Gone): void {
    const at = this.count++;
    if (at === 0) {
      this.lineages = new Array<Lineage>(this.room);
      this.values = new Array<T | Gone>(this.room);
    }
    this.lineages[at] = lineage;
    this.values[at] = value;
    if (isGone(value)) this.gone++;
  }

  /** Returns the collected slots as a batch and empties the builder. */
  build(): Batch<T> {
    const { lineages, values, count } = this;
    if (count < lineages.length) lineages.length = values.length = count;
    const batch = new Batch<T>(lineages, values, this.gone);
    if (count > 0) this.room = count;
    this.lineages = NO_LINEAGES;
    this.values = NO_VALUES;
    this.count = 0;
    this.gone = 0;
    return batch;
  }
}

/**
 * A record in the slot of a task that leaves by a named output, such as a branch. Readers of the plain output see
 * `GONE` in its place, readers of the named one see the record.
 */
export class Routed {
  /** The name of the output. */
  readonly output: string;
  readonly record: unknown;

  constructor(output: string, record: unknown) {
    this.output = output;
    this.record = record;
  }
}

/**
 * The record in a slot for the readers of this output, or `GONE`. Without a name: for the readers of the plain output.
 */
export function recordAt(value: unknown, output: string | undefined): unknown {
  if (!(value instanceof Routed)) return output === undefined ? value : GONE;
  return value.output === output ? value.record : GONE;
}

/**
 * A record that a task gave up, as the `failed` output of the task emits it. Plain data if the record is plain data.
 */
export interface FailedRecord<In = unknown> {
  /** The record as the task received it; for a source, the input that could not be read as a record. */
  readonly record: In;
  /** The last error. */
  readonly error: {
    /** The code that a dead letter would have. */
    readonly code: string;
    /** The message, with secrets masked. */
    readonly message: string;
  };
  /** The number of attempts, at least 1. */
  readonly attempts: number;
}

/** The brands of `Ended` and `Skip`, for loops over records. */
export const ENDED_BRAND = brandOf('Ended');
export const SKIP_BRAND = brandOf('Skip');

/** The base class of values that a task emits in place of a record that ends here. */
export abstract class Ended {
  static {
    shareClass(this, 'Ended');
  }

  /** Keeps other classes from fitting this type by their structure. */
  readonly isEnded = true;
}

/**
 * A task returns this to end a record on purpose. The record counts under its reason and never becomes a dead letter.
 */
export class Skip extends Ended {
  static {
    shareClass(this, 'Skip');
  }

  /** The name under which the summary counts the record. */
  readonly reason: string;

  constructor(reason: string) {
    super();
    this.reason = reason;
  }
}

/**
 * Ends this record here, on purpose. The lineage settles, joins do not wait for it, and the summary of the run counts
 * it under `reason`. Use few reasons: each has its own count.
 *
 * @example syncTask((row: Row) => (row.amount === 0 ? skip('no amount') : row))
 */
export function skip(reason: string): Skip {
  return new Skip(reason);
}

/**
 * A source emits this for an input that it could not convert to a record: the record is born, and the failure policy
 * ends it.
 */
export class Rejected extends Ended {
  static {
    shareClass(this, 'Rejected');
  }

  /** The input as it was read. */
  readonly input: unknown;
  /** The reason why the input could not be converted to a record. */
  readonly error: unknown;

  constructor(input: unknown, error: unknown) {
    super();
    this.input = input;
    this.error = error;
  }
}
