/**
 * What travels on an edge: batches of records, each slot with its lineage.
 *
 * Promise: a slot never disappears. A record that ends early leaves a `GONE` mark in its slot, so whoever joins or
 * counts sees every lineage exactly once and never waits for one that will not come.
 */

/** The number a root gave to a record at birth: 0, 1, 2, … per root. */
export type Lineage = number;

/** The mark of a record that ended early (filtered, skipped, dead-lettered). Identity is the test, never truthiness. */
export const GONE: unique symbol = Symbol('millrace.gone');
/** The type of `GONE`. */
export type Gone = typeof GONE;

/**
 * A run of records that travels together. `lineages` and `values` have one slot per record; neither is changed after
 * the batch was emitted, so one-to-one tasks pass `lineages` on without a copy.
 */
export class Batch<T> {
  /** The lineage of each slot. */
  readonly lineages: readonly Lineage[];
  /** The record of each slot, or `GONE`. */
  readonly values: readonly (T | Gone)[];
  /** How many slots are `GONE`; 0 lets consumers use loops without the test. */
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

/** Collects slots until somebody takes them as one batch. */
export class BatchBuilder<T> {
  private lineages: Lineage[] = [];
  private values: (T | Gone)[] = [];
  private gone = 0;

  /** How many slots were added. */
  get length(): number {
    return this.lineages.length;
  }

  /** Adds a slot. */
  push(lineage: Lineage, value: T | Gone): void {
    this.lineages.push(lineage);
    this.values.push(value);
    if (value === GONE) this.gone++;
  }

  /** The batch so far; the builder starts empty again. */
  take(): Batch<T> {
    const batch = new Batch<T>(this.lineages, this.values, this.gone);
    this.lineages = [];
    this.values = [];
    this.gone = 0;
    return batch;
  }
}

/** What stands in place of a record that ends here: one test tells it from records. */
export abstract class Ended {
  /** Makes the class one that nothing else fits by chance. */
  readonly isEnded = true;
}

/** What a task returns to end a record on purpose: counted with its reason, never a dead letter. */
export class Skip extends Ended {
  /** The name it is counted under in the summary. */
  readonly reason: string;

  constructor(reason: string) {
    super();
    this.reason = reason;
  }
}

/**
 * Ends this record here, on purpose. The lineage settles, joins do not wait for it, and the run's summary counts it
 * under `reason` (keep reasons few: they are counted by name).
 *
 * @example syncTask((row: Row) => (row.amount === 0 ? skip('no amount') : row))
 */
export function skip(reason: string): Skip {
  return new Skip(reason);
}

/** What a source hands over for an input it could not turn into a record: it is born and ends by the failure policy. */
export class Rejected extends Ended {
  /** The input as it came. */
  readonly input: unknown;
  /** Why no record could be made of it. */
  readonly error: unknown;

  constructor(input: unknown, error: unknown) {
    super();
    this.input = input;
    this.error = error;
  }
}
