/**
 * Records that wait for the executor, in the arrays they arrived in.
 *
 * Guarantees: the window bounds the queue. A chunk that is exactly one of these arrays is not copied.
 */
import type { Chunk } from '../execution/executor.js';
import type { Lineage } from '../model/record.js';
import { Ring } from '../ledger/ring.js';

/**
 * Records with their lineages, and with their places in a state if the workload has one: for all records or for none.
 */
type Segment = Omit<Chunk, 'from'>;

export class RecordQueue {
  private readonly segments: Ring<Segment>;
  private head: Segment | undefined;
  private at = 0;
  private count = 0;

  /** @param window the maximum number of waiting records, or a function that returns it. */
  constructor(window: number | (() => number)) {
    this.segments = new Ring(window);
  }

  get size(): number {
    return this.count;
  }

  /** Adds records. The caller must not change the arrays afterwards. */
  push(lineages: readonly Lineage[], records: readonly unknown[], places?: readonly number[]): void {
    if (records.length === 0) return;
    this.count += records.length;
    this.segments.push({ lineages, records, places });
  }

  /** Removes and returns 1 to `max` records with `from` as their first number, or returns undefined if none wait. */
  remove(max: number, from: number): Chunk | undefined {
    if (this.count === 0) return undefined;
    const size = Math.min(max, this.count);
    this.count -= size;
    const first = this.advance();
    if (this.at === 0 && first.records.length === size) {
      this.head = undefined;
      return { from, ...first };
    }
    const lineages: Lineage[] = [];
    const records: unknown[] = [];
    const places: number[] | undefined = first.places && [];
    while (records.length < size) {
      const segment = this.advance();
      const until = Math.min(segment.records.length, this.at + size - records.length);
      for (; this.at < until; this.at++) {
        lineages.push(segment.lineages[this.at] as Lineage);
        records.push(segment.records[this.at]);
        places?.push(segment.places?.[this.at] as number);
      }
    }
    return { from, lineages, records, places };
  }

  clear(): void {
    this.segments.clear();
    this.head = undefined;
    this.at = 0;
    this.count = 0;
  }

  /** The segment with the next record. Call only while a record waits. */
  private advance(): Segment {
    if (this.head === undefined || this.at === this.head.records.length) {
      this.head = this.segments.shift();
      this.at = 0;
    }
    return this.head;
  }
}
