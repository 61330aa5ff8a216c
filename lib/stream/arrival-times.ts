/**
 * Stores the arrival times of the records of a queue, at the cost of one number per batch.
 *
 * Guarantees: times are exact for a first-in, first-out queue. If records overtake each other, a time may belong to
 * another record, but the mean stays right.
 */
import { Ring } from '../ledger/ring.js';

interface LaterBatches {
  readonly times: Ring<number>;
  /** The number of records that had arrived up to and including each batch. */
  readonly counts: Ring<number>;
}

export class ArrivalTimes {
  private readonly capacity: number;
  /** The batches behind the one that is read. Made with the first of them: most tasks of a large graph have none. */
  private later: LaterBatches | undefined;
  private arrived = 0;
  /** The number after the last one that was passed to `of`. */
  private asked = 0;
  private until = 0;
  private atMs = 0;

  /** @param capacity the maximum number of waiting batches. */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Records the arrival of a batch with `count` records. */
  arrive(count: number, nowMs: number): void {
    if (count === 0) return;
    const isAlone = (this.later === undefined || this.later.counts.size === 0) && this.asked >= this.arrived;
    this.arrived += count;
    if (isAlone) {
      this.until = this.arrived;
      this.atMs = nowMs;
      return;
    }
    const { times, counts } = (this.later ??= { times: new Ring(this.capacity), counts: new Ring(this.capacity) });
    if (times.size === times.capacity) this.advance(this.until);
    times.push(nowMs);
    counts.push(this.arrived);
  }

  /**
   * The arrival time of the record with this number. Numbers begin with 0, and no call may use a lower one than the
   * call before.
   */
  of(number: number): number {
    this.asked = number + 1;
    this.advance(number);
    return this.atMs;
  }

  private advance(number: number): void {
    if (this.later === undefined) return;
    const { times, counts } = this.later;
    while (number >= this.until && counts.size > 0) {
      this.until = counts.shift();
      this.atMs = times.shift();
    }
  }
}
