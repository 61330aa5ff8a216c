/**
 * Restores the order of arrival for records that finish in any order.
 *
 * Each lineage is announced on arrival, because lineages may have gaps. `NumberOrder` is for consecutive numbers, whose
 * order is known without that.
 *
 * Guarantees: it holds at most one window of records, because no more are accepted. `GONE` slots keep their place, so a
 * record that ends early blocks no other.
 */
import type { BatchBuilder, Gone, Lineage } from '../model/record.js';
import { Ring } from '../ledger/ring.js';

export class ArrivalOrder<Out> {
  private readonly expected: Ring<Lineage>;
  private readonly finished = new Map<Lineage, Out | Gone>();
  private nextUp: Lineage | undefined;

  /** @param window the most records, or a function that returns it. */
  constructor(window: number | (() => number)) {
    this.expected = new Ring(window);
  }

  /** Adds a lineage that arrived after all earlier ones. */
  expect(lineage: Lineage): void {
    if (this.nextUp === undefined) this.nextUp = lineage;
    else this.expected.push(lineage);
  }

  /** Records the output of a lineage, and adds all outputs that may leave now to `into`. */
  release(lineage: Lineage, output: Out | Gone, into: BatchBuilder<Out>): void {
    this.finished.set(lineage, output);
    while (this.nextUp !== undefined && this.finished.has(this.nextUp)) {
      into.push(this.nextUp, this.finished.get(this.nextUp) as Out | Gone);
      this.finished.delete(this.nextUp);
      this.nextUp = this.expected.size > 0 ? this.expected.shift() : undefined;
    }
  }
}
