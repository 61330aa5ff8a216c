/**
 * The calls of a task that could start now if the gate let them: records that were never asked about, and calls that
 * have come back for another attempt. Promise: each is handed out once; taking the next is O(1) whatever waits.
 */
import type { Batch, Lineage } from '../model/record.js';
import { Ring } from '../ledger/ring.js';
import { Call } from './call.js';
import { FairQueue, FifoQueue, type CallQueue } from './call-queue.js';
import type { Fairness } from './policies/fairness.js';

export class WaitingCalls<In> {
  private readonly fresh: CallQueue<In>;
  private readonly again: Ring<Call<In>>;

  /** @param refuse gets a record whose fairness key cannot be told, and why. */
  constructor(
    window: number,
    fairness: Fairness | undefined,
    refuse: (record: In, lineage: Lineage, error: unknown) => void,
  ) {
    this.again = new Ring(window);
    this.fresh =
      fairness === undefined
        ? new FifoQueue(window)
        : new FairQueue(fairness.keyOf as (record: In) => unknown, window, refuse);
  }

  get size(): number {
    return this.fresh.size + this.again.size;
  }

  /** Of these, the records that were never asked about. */
  get neverAsked(): number {
    return this.fresh.size;
  }

  take(batch: Batch<In>): void {
    this.fresh.push(batch);
  }

  /** Its delay is over, or the circuit sent it back. */
  putBack(call: Call<In>): void {
    this.again.push(call);
  }

  /**
   * Call only while `size` is above 0. Those that had an attempt go first; a probe of a sick upstream takes a fresh
   * one, which proves more.
   */
  next(isProbing: boolean): Call<In> {
    if (this.again.size > 0 && !(isProbing && this.fresh.size > 0)) return this.again.shift();
    return this.fresh.take((record, lineage) => new Call(record, lineage));
  }

  clear(): void {
    this.fresh.clear();
    this.again.clear();
  }
}
