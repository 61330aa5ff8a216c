/**
 * The calls that wait for admission: records without an attempt, in arrival order or round robin by key, and calls that
 * wait for another attempt.
 *
 * Guarantees: holds at most one window of records. Each call is handed out once. Every operation is O(1) per record.
 */
import { GONE, isGone, type Batch, type Lineage } from '../model/record.js';
import { Ring } from '../ledger/ring.js';
import { Call } from './call.js';
import type { Fairness } from './policies/fairness.js';

/** Receives a record whose fairness key could not be computed, and the error of the key function. */
type OnRejected<In> = (record: In, lineage: Lineage, error: unknown) => void;

/** Records without an attempt. */
interface RecordQueue<In> {
  readonly size: number;
  push(batch: Batch<In>, onRejected: OnRejected<In>): void;
  /** Call only while `size` is above 0. */
  shift(): Call<In>;
  clear(): void;
}

export class CallQueue<In> {
  private readonly fresh: RecordQueue<In>;
  private readonly retries: Ring<Call<In>>;

  /** @param window returns the largest number of records that wait at a time. */
  constructor(window: () => number, fairness: Fairness | undefined) {
    this.retries = new Ring(window);
    this.fresh =
      fairness === undefined ? new FifoQueue(window) : new FairQueue(window, fairness.keyOf as (record: In) => unknown);
  }

  get size(): number {
    return this.fresh.size + this.retries.size;
  }

  /** Records without an attempt. */
  get neverTried(): number {
    return this.fresh.size;
  }

  accept(batch: Batch<In>, onRejected: OnRejected<In>): void {
    this.fresh.push(batch, onRejected);
  }

  /** Queues a call for another attempt. */
  requeue(call: Call<In>): void {
    this.retries.push(call);
  }

  /**
   * The call to start next. Call only while `size` is above 0. Retries go first, except when the circuit probes the
   * upstream: a record that has not failed yet proves more.
   */
  next(isProbing: boolean): Call<In> {
    if (this.retries.size > 0 && !(isProbing && this.fresh.size > 0)) return this.retries.shift();
    return this.fresh.shift();
  }

  clear(): void {
    this.fresh.clear();
    this.retries.clear();
  }
}

/** First in, first out, over the batches as they arrived. */
class FifoQueue<In> implements RecordQueue<In> {
  size = 0;
  private readonly batches: Ring<Batch<In>>;
  private head: Batch<In> | undefined;
  private at = 0;

  constructor(window: () => number) {
    this.batches = new Ring(window);
  }

  push(batch: Batch<In>): void {
    const count = batch.length - batch.gone;
    if (count === 0) return;
    this.size += count;
    this.batches.push(batch);
  }

  shift(): Call<In> {
    for (;;) {
      const head = (this.head ??= this.batches.shift());
      while (this.at < head.length && isGone(head.values[this.at])) this.at++;
      if (this.at < head.length) {
        this.size--;
        const at = this.at++;
        return new Call(head.values[at] as In, head.lineages[at] as Lineage);
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

/** Round robin over the keys that have records waiting. */
class FairQueue<In> implements RecordQueue<In> {
  size = 0;
  private readonly window: () => number;
  private readonly keyOf: (record: In) => unknown;
  /** A Map keeps insertion order: the first key is served next. */
  private readonly byKey = new Map<unknown, Ring<Waiting<In>>>();

  constructor(window: () => number, keyOf: (record: In) => unknown) {
    this.window = window;
    this.keyOf = keyOf;
  }

  push({ values, lineages }: Batch<In>, onRejected: OnRejected<In>): void {
    for (let i = 0; i < values.length; i++) {
      const record = values[i] as In | typeof GONE;
      const lineage = lineages[i] as Lineage;
      if (record === GONE) continue;
      let key: unknown;
      try {
        key = this.keyOf(record);
      } catch (error) {
        onRejected(record, lineage, error);
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

  shift(): Call<In> {
    const [[key, waiting]] = this.byKey as unknown as [[unknown, Ring<Waiting<In>>]];
    const { record, lineage } = waiting.shift();
    this.size--;
    // Moves the key to the end of the turns, or removes it.
    this.byKey.delete(key);
    if (waiting.size > 0) this.byKey.set(key, waiting);
    return new Call(record, lineage);
  }

  clear(): void {
    this.byKey.clear();
    this.size = 0;
  }
}
