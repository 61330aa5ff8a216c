/**
 * The progress of a sink that is stored in the transaction of its rows: ranges of record numbers, or names of records.
 *
 * Guarantees: a number is in a range only if its row was written. Records that are written in their order extend one
 * range, and a record that closes a gap joins the ranges beside it, in the same transaction. So a table of ranges has
 * one row per gap that is still there. The memory for the ranges that may be joined is bounded.
 */
import type { NumberRange } from './stored-records.js';

/** The progress that one transaction stores. */
export interface WriteProgress {
  readonly root: string;
  readonly partition: number;
  /** A range that begins where a stored one begins replaces it. */
  readonly ranges: readonly NumberRange[];
  /** The beginnings of stored ranges that are now part of `ranges`, and are removed. */
  readonly joined: readonly number[];
  /** Set instead of ranges for records whose numbers may change after a crash. */
  readonly names: readonly string[];
}

/**
 * The most ranges known per partition. The lowest ones are forgotten first: their gaps are the least likely to be
 * closed.
 */
const MAX_KNOWN = 4096;

/** The stored ranges that further records may extend or join. */
export class StoredRanges {
  private readonly maxKnown: number;
  /** By partition, ascending and apart from each other. */
  private readonly known = new Map<string, NumberRange[]>();

  constructor(maxKnown = MAX_KNOWN) {
    this.maxKnown = maxKnown;
  }

  /** The ranges to store for these numbers, which ascend and are new, and those that they join. */
  extendedBy(root: string, partition: number, numbers: readonly number[]): Pick<WriteProgress, 'ranges' | 'joined'> {
    const known = this.known.get(keyOf(root, partition)) ?? [];
    const ranges: { first: number; past: number }[] = [];
    const joined: number[] = [];
    for (let i = 0; i < numbers.length;) {
      const first = numbers[i] as number;
      let past = first + 1;
      for (i++; numbers[i] === past; i++) past++;
      const at = firstFrom(known, past);
      const next = known[at];
      const before = known[at - 1];
      if (next?.first === past) {
        joined.push(next.first);
        past = next.past;
      }
      const last = ranges.at(-1);
      if (last?.past === first) last.past = past;
      else ranges.push({ first: before?.past === first ? before.first : first, past });
    }
    return { ranges, joined };
  }

  /** Records that these ranges are stored: by an earlier incarnation, or by a transaction that has ended. */
  stored({ root, partition, ranges }: Pick<WriteProgress, 'root' | 'partition' | 'ranges'>): void {
    const key = keyOf(root, partition);
    const known = this.known.get(key) ?? [];
    this.known.set(key, known);
    for (const range of ranges) {
      const from = firstFrom(known, range.first);
      known.splice(from, firstFrom(known, range.past) - from, range);
    }
    if (known.length > this.maxKnown) known.splice(0, known.length - this.maxKnown);
  }

  clear(): void {
    this.known.clear();
  }
}

/** The index of the first range that begins at this number or after it. */
function firstFrom(ranges: readonly NumberRange[], number: number): number {
  // Nearly all searches are for the newest ranges.
  const last = ranges.at(-1);
  if (last === undefined || last.first < number) return ranges.length;
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle] as NumberRange).first < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

function keyOf(root: string, partition: number): string {
  return `${partition} ${root}`;
}
