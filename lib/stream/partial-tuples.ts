/**
 * The tuples of a join that are not complete, by lineage.
 *
 * Guarantees: adding a value is O(1). The memory grows with the widest range of lineages that was held at one time, up
 * to the span of the root. So a graph of many joins needs little memory.
 */
import { MillraceError } from '../model/errors.js';
import { isGone, type Lineage } from '../model/record.js';

/** Marks an empty slot of a tuple, because a record may be undefined. */
export const MISSING: unique symbol = Symbol('millrace.missing');

/** See `isGone`. */
function isMissing(value: unknown): boolean {
  return typeof value === 'symbol' && value === MISSING;
}

/** Returned by `add` while the tuple is incomplete. */
export const INCOMPLETE: unique symbol = Symbol('millrace.incomplete');

/** A bit in the count of missing values: set if one of the values is `GONE`. */
const IS_GONE = 1 << 30;

/** Makes the results of complete tuples. */
export interface TupleResults {
  /** The result of a tuple without `GONE`. */
  whole(values: unknown[]): unknown;
  /** The result of a tuple in which at least one value is `GONE`. */
  partial(values: unknown[]): unknown;
}

/** The join that holds the tuples. */
export interface TupleOwner {
  /** Makes the error for a value that was added before. */
  twice(lineage: Lineage, index: number): MillraceError;
}

/** A tuple without values, shared by all joins with this number of inputs. */
function blankOf(width: number): readonly unknown[] {
  return (BLANKS[width] ??= new Array<unknown>(width).fill(MISSING));
}
const BLANKS: (readonly unknown[])[] = [];

export class PartialTuples {
  private readonly width: number;
  private readonly span: () => number;
  private readonly blank: readonly unknown[];
  /** One slot at first: typed arrays would be slow to make for each join of a large graph. */
  private mask = 0;
  private tuples: (unknown[] | undefined)[] = [undefined];
  /** Per slot: the lineage of the tuple, and the number of its missing values. */
  private lineages: Lineage[] = [0];
  private missing: number[] = [0];
  private count = 0;
  private readonly owner: TupleOwner;
  private readonly results: TupleResults;

  /**
   * @param width the values per tuple.
   * @param span returns the widest possible range of lineages, a power of two.
   * @param owner makes the error for a value that was added before.
   * @param results makes the results that `add` returns for complete tuples.
   */
  constructor(width: number, span: () => number, owner: TupleOwner, results: TupleResults) {
    this.owner = owner;
    this.results = results;
    this.width = width;
    this.span = span;
    this.blank = blankOf(width);
  }

  /** The number of incomplete tuples. */
  get size(): number {
    return this.count;
  }

  /** The incomplete tuple of a lineage, with MISSING for each missing value. */
  of(lineage: Lineage): readonly unknown[] | undefined {
    const slot = lineage & this.mask;
    return this.lineages[slot] === lineage ? this.tuples[slot] : undefined;
  }

  /**
   * Adds a value. Returns the result of the tuple if it is complete, otherwise INCOMPLETE. Throws the error of the
   * owner for a value that was added before.
   */
  add(lineage: Lineage, index: number, value: unknown): unknown {
    let slot = lineage & this.mask;
    let tuple = this.tuples[slot];
    if (tuple !== undefined && this.lineages[slot] !== lineage) {
      slot = this.growFor(lineage);
      tuple = this.tuples[slot];
    }
    if (tuple === undefined) {
      tuple = this.blank.slice();
      this.tuples[slot] = tuple;
      this.lineages[slot] = lineage;
      this.missing[slot] = this.width;
      this.count++;
    } else if (!isMissing(tuple[index])) {
      throw this.owner.twice(lineage, index);
    }
    tuple[index] = value;
    const lacking = ((this.missing[slot] as number) - 1) | (isGone(value) ? IS_GONE : 0);
    this.missing[slot] = lacking;
    if ((lacking & ~IS_GONE) > 0) return INCOMPLETE;
    this.tuples[slot] = undefined;
    this.count--;
    return lacking === 0 ? this.results.whole(tuple) : this.results.partial(tuple);
  }

  clear(): void {
    this.tuples = [];
    this.count = 0;
  }

  /** Doubles the number of slots until no two lineages share a slot. Returns the slot of `lineage`. */
  private growFor(lineage: Lineage): number {
    const { tuples, lineages, missing } = this;
    let room = this.mask + 1;
    let isShared = true;
    while (isShared) {
      if (room === this.span()) {
        throw new MillraceError('MILLRACE_CONSERVATION', `lineage ${lineage} is out of the span of its root`);
      }
      room *= 2;
      const occupied = new Set([lineage & (room - 1)]);
      isShared = tuples.some((tuple, slot) => {
        if (tuple === undefined || lineages[slot] === lineage) return false;
        const at = (lineages[slot] as number) & (room - 1);
        return occupied.size === occupied.add(at).size;
      });
    }
    this.mask = room - 1;
    this.tuples = new Array<unknown[] | undefined>(room);
    this.lineages = new Array<Lineage>(room).fill(0);
    this.missing = new Array<number>(room).fill(0);
    tuples.forEach((tuple, slot) => {
      if (tuple === undefined) return;
      const at = (lineages[slot] as number) & this.mask;
      this.tuples[at] = tuple;
      this.lineages[at] = lineages[slot] as number;
      this.missing[at] = missing[slot] as number;
    });
    return lineage & this.mask;
  }
}
