/**
 * The progress of a sink that is stored in the transaction of its rows: ranges of record numbers, or names of records.
 *
 * Guarantees: records that are written in their order extend one range, so their progress is one row of the database however
 * many they are. A number is in a range only if its row was written.
 */
import type { NumberRange } from './held-records.js';

/** The progress that one transaction stores. */
export interface WriteProgress {
  readonly root: string;
  readonly partition: number;
  /** A range that begins where a stored one begins replaces it. */
  readonly ranges: readonly NumberRange[];
  /** Set instead of ranges for records whose numbers may change after a crash. */
  readonly names: readonly string[];
}

/** The last range of each partition, which the next write may extend. */
export class RangeEnds {
  private readonly ends = new Map<string, NumberRange>();

  /** The ranges to store for these numbers. */
  rangesOf(root: string, partition: number, numbers: readonly number[]): NumberRange[] {
    const ranges: { first: number; past: number }[] = [];
    const end = this.ends.get(keyOf(root, partition));
    if (end !== undefined && numbers.length > 0 && end.past === numbers[0]) ranges.push({ ...end });
    for (const number of numbers) {
      const last = ranges.at(-1);
      if (last !== undefined && last.past === number) last.past++;
      else ranges.push({ first: number, past: number + 1 });
    }
    return ranges;
  }

  /** Records that the progress is stored. */
  stored({ root, partition, ranges }: WriteProgress): void {
    const last = ranges.at(-1);
    if (last !== undefined) this.ends.set(keyOf(root, partition), last);
  }

  /** Begins new ranges: what is stored may differ from what is known. */
  clear(): void {
    this.ends.clear();
  }
}

function keyOf(root: string, partition: number): string {
  return `${partition} ${root}`;
}
