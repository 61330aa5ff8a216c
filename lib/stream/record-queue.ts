/**
 * Records that wait to be handed over, kept in the arrays they came in. Promises: bounded by the window; a chunk that is
 * one of those arrays, whole, is not copied; chunks are numbered without gaps, in the order records came.
 */
import type { Chunk } from '../execution/executor.js';
import type { Lineage } from '../model/record.js';
import { Ring } from '../ledger/ring.js';

interface Segment {
  readonly lineages: readonly Lineage[];
  readonly records: readonly unknown[];
}

export class RecordQueue {
  private readonly segments: Ring<Segment>;
  private head: Segment | undefined;
  private at = 0;
  private count = 0;
  private taken = 0;

  /** @param window the most records that may wait. */
  constructor(window: number) {
    this.segments = new Ring(window);
  }

  get size(): number {
    return this.count;
  }

  /** The arrays must not change any more. */
  push(lineages: readonly Lineage[], records: readonly unknown[]): void {
    if (records.length === 0) return;
    this.count += records.length;
    this.segments.push({ lineages, records });
  }

  /** 1 to `max` records, or undefined where none wait. */
  take(max: number): Chunk | undefined {
    if (this.count === 0) return undefined;
    const from = this.taken;
    const size = Math.min(max, this.count);
    this.count -= size;
    this.taken += size;
    const first = this.advance();
    if (this.at === 0 && first.records.length === size) {
      this.head = undefined;
      return { from, ...first };
    }
    const lineages: Lineage[] = [];
    const records: unknown[] = [];
    while (records.length < size) {
      const segment = this.advance();
      const until = Math.min(segment.records.length, this.at + size - records.length);
      for (; this.at < until; this.at++) {
        lineages.push(segment.lineages[this.at] as Lineage);
        records.push(segment.records[this.at]);
      }
    }
    return { from, lineages, records };
  }

  clear(): void {
    this.segments.clear();
    this.head = undefined;
    this.at = 0;
    this.count = 0;
  }

  /** The segment that has the next record. Call only while one waits. */
  private advance(): Segment {
    if (this.head === undefined || this.at === this.head.records.length) {
      this.head = this.segments.shift();
      this.at = 0;
    }
    return this.head;
  }
}
