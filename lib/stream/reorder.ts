/**
 * Puts what finished in any order back into the order in which it was taken in. Promise: holds at most the window's
 * worth, because nothing is taken in beyond it; gone marks keep their place, so a record that ends early blocks nobody.
 */
import type { BatchBuilder, Gone, Lineage } from '../model/record.js';
import { Ring } from '../ledger/ring.js';

export class Reorder<Out> {
  private readonly expected: Ring<Lineage>;
  private readonly finished = new Map<Lineage, Out | Gone>();
  private nextUp: Lineage | undefined;

  constructor(window: number) {
    this.expected = new Ring(window);
  }

  /** This lineage was taken in, after all the earlier ones. */
  expect(lineage: Lineage): void {
    if (this.nextUp === undefined) this.nextUp = lineage;
    else this.expected.push(lineage);
  }

  /** This lineage finished; whatever may leave now goes to `into`. */
  release(lineage: Lineage, output: Out | Gone, into: BatchBuilder<Out>): void {
    this.finished.set(lineage, output);
    while (this.nextUp !== undefined && this.finished.has(this.nextUp)) {
      into.push(this.nextUp, this.finished.get(this.nextUp) as Out | Gone);
      this.finished.delete(this.nextUp);
      this.nextUp = this.expected.size > 0 ? this.expected.shift() : undefined;
    }
  }
}
