/**
 * The records that a database already contains: as ranges of numbers per partition, or by name.
 *
 * Guarantees: `holds` costs the logarithm of the number of ranges, and constant time for records that come in their
 * order.
 */
import type { LineageId, StoredRows } from '../../connect/index.js';

/** Consecutive numbers of records: from `first`, up to the one before `past`. */
export interface NumberRange {
  /** The first number. */
  readonly first: number;
  /** The number after the last one. */
  readonly past: number;
}

/** The records of one partition of a root. */
interface Partition {
  /** Ascending and apart from each other once they are sorted. */
  readonly ranges: NumberRange[];
  readonly names: Set<string>;
  isSorted: boolean;
  /** The index of the range that the last search has found. */
  cursor: number;
}

export class StoredRecords implements StoredRows {
  private readonly partitions = new Map<string, Map<number, Partition>>();
  private readonly onNamed: ((id: LineageId) => void) | undefined;

  /** @param onNamed called when `holds` finds a record that is stored by its name. */
  constructor(onNamed?: (id: LineageId) => void) {
    this.onNamed = onNamed;
  }

  addRange(root: string, partition: number, range: NumberRange): void {
    const stored = this.partition(root, partition);
    stored.ranges.push(range);
    stored.isSorted = false;
  }

  addName(root: string, partition: number, name: string): void {
    this.partition(root, partition).names.add(name);
  }

  has(id: LineageId): boolean {
    const { root, partition, number, name } = id;
    const stored = this.partitions.get(root)?.get(partition);
    if (stored === undefined) return false;
    if (name === undefined) return inRanges(stored, number);
    const isStored = stored.names.has(name);
    if (isStored) this.onNamed?.(id);
    return isStored;
  }

  /** The ranges of each partition, ascending. */
  *ranges(): Iterable<{ readonly root: string; readonly partition: number; readonly ranges: readonly NumberRange[] }> {
    for (const [root, ofRoot] of this.partitions) {
      for (const [partition, stored] of ofRoot) yield { root, partition, ranges: sorted(stored) };
    }
  }

  private partition(root: string, partition: number): Partition {
    const ofRoot = this.partitions.get(root) ?? new Map<number, Partition>();
    this.partitions.set(root, ofRoot);
    const stored = ofRoot.get(partition) ?? { ranges: [], names: new Set(), isSorted: true, cursor: 0 };
    ofRoot.set(partition, stored);
    return stored;
  }
}

function sorted(stored: Partition): readonly NumberRange[] {
  if (!stored.isSorted) {
    stored.ranges.sort((a, b) => a.first - b.first);
    stored.isSorted = true;
    stored.cursor = 0;
  }
  return stored.ranges;
}

function inRanges(stored: Partition, number: number): boolean {
  const ranges = sorted(stored);
  const known = ranges[stored.cursor];
  if (known !== undefined && known.first <= number && number < known.past) return true;
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle] as NumberRange).past <= number) low = middle + 1;
    else high = middle;
  }
  stored.cursor = low;
  const range = ranges[low];
  return range !== undefined && range.first <= number;
}
