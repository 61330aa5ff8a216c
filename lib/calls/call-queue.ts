/**
 * Records that wait for their first attempt: in order of arrival, or in turns by key. Promise: holds what the window
 * lets in and no more; taking the next is O(1) whatever waits.
 */
import { GONE, type Batch, type Lineage } from '../model/record.js';
import { Ring } from '../ledger/ring.js';

export interface CallQueue<In> {
  readonly size: number;
  push(batch: Batch<In>): void;
  /** Hands the next record over. Call only while `size` is above 0. */
  take<T>(make: (record: In, lineage: Lineage) => T): T;
  clear(): void;
}

/** First in, first out, over the batches as they came. */
export class FifoQueue<In> implements CallQueue<In> {
  size = 0;
  private readonly batches: Ring<Batch<In>>;
  private head: Batch<In> | undefined;
  private at = 0;

  constructor(window: number) {
    this.batches = new Ring(window);
  }

  push(batch: Batch<In>): void {
    const count = batch.length - batch.gone;
    if (count === 0) return;
    this.size += count;
    this.batches.push(batch);
  }

  take<T>(make: (record: In, lineage: Lineage) => T): T {
    for (;;) {
      const head = (this.head ??= this.batches.shift());
      while (this.at < head.length && head.values[this.at] === GONE) this.at++;
      if (this.at < head.length) {
        this.size--;
        const at = this.at++;
        return make(head.values[at] as In, head.lineages[at] as Lineage);
      }
      this.head = undefined;
      this.at = 0;
    }
  }

  clear(): void {
    this.batches.clear();
    this.head = undefined;
    this.size = 0;
  }
}

interface Waiting<In> {
  readonly record: In;
  readonly lineage: Lineage;
}

/** Round robin over the keys that have something waiting. */
export class FairQueue<In> implements CallQueue<In> {
  size = 0;
  private readonly keyOf: (record: In) => unknown;
  private readonly window: number;
  private readonly refuse: (record: In, lineage: Lineage, error: unknown) => void;
  /** A Map keeps insertion order: its first key is the one whose turn it is. */
  private readonly byKey = new Map<unknown, Ring<Waiting<In>>>();

  /** @param refuse gets a record whose key cannot be told, and what `keyOf` threw. */
  constructor(
    keyOf: (record: In) => unknown,
    window: number,
    refuse: (record: In, lineage: Lineage, error: unknown) => void,
  ) {
    this.keyOf = keyOf;
    this.window = window;
    this.refuse = refuse;
  }

  push({ values, lineages }: Batch<In>): void {
    for (let i = 0; i < values.length; i++) {
      const record = values[i] as In | typeof GONE;
      const lineage = lineages[i] as Lineage;
      if (record === GONE) continue;
      let key: unknown;
      try {
        key = this.keyOf(record);
      } catch (error) {
        this.refuse(record, lineage, error);
        continue;
      }
      let waiting = this.byKey.get(key);
      if (waiting === undefined) {
        waiting = new Ring(this.window);
        this.byKey.set(key, waiting);
      }
      waiting.push({ record, lineage });
      this.size++;
    }
  }

  take<T>(make: (record: In, lineage: Lineage) => T): T {
    const [[key, waiting]] = this.byKey as unknown as [[unknown, Ring<Waiting<In>>]];
    const { record, lineage } = waiting.shift();
    this.size--;
    // To the end of the turns, or out of them.
    this.byKey.delete(key);
    if (waiting.size > 0) this.byKey.set(key, waiting);
    return make(record, lineage);
  }

  clear(): void {
    this.byKey.clear();
    this.size = 0;
  }
}
