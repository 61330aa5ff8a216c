/**
 * When the records of a queue arrived, at the cost of one number a batch. Promise: exact for a queue that is first in,
 * first out; where records overtake each other it tells the time of another record, and the mean stays right.
 */
import { Ring } from '../ledger/ring.js';

export class ArrivalTimes {
  private readonly times: Ring<number>;
  /** How many records had arrived with each batch. */
  private readonly counts: Ring<number>;
  private arrived = 0;
  private until = 0;
  private atMs = 0;

  /** @param capacity the most batches that may wait. */
  constructor(capacity: number) {
    this.times = new Ring(capacity);
    this.counts = new Ring(capacity);
  }

  /** A batch with so many records has arrived. */
  arrive(count: number, nowMs: number): void {
    if (count === 0) return;
    this.arrived += count;
    if (this.times.size === this.times.capacity) this.of(this.until);
    this.times.push(nowMs);
    this.counts.push(this.arrived);
  }

  /** When the record with this number (from 0, never a lower one than before) arrived. */
  of(number: number): number {
    while (number >= this.until && this.counts.size > 0) {
      this.until = this.counts.shift();
      this.atMs = this.times.shift();
    }
    return this.atMs;
  }
}
