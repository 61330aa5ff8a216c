/**
 * Restores the order of numbered items. An item stands for one number, or for several consecutive numbers.
 *
 * The numbers have no gaps, so the next one is known before it arrives. `ArrivalOrder` is for lineages with gaps.
 *
 * Guarantees: each item is released once, when all numbers before it have passed. Only items that came early are held.
 */
export class NumberOrder<T> {
  private readonly early = new Map<number, T>();
  /** The number of the item that may pass next. */
  next: number;

  constructor(first = 0) {
    this.next = first;
  }

  /** The number of items that are held. */
  get size(): number {
    return this.early.size;
  }

  /** Whether the next item is held, so that `release` may be called. */
  get isReady(): boolean {
    return this.early.size > 0 && this.early.has(this.next);
  }

  /** Holds the item with this number, which is at least `next`. */
  hold(number: number, item: T): void {
    this.early.set(number, item);
  }

  /** Removes and returns the next item. Call only while `isReady`, and call `advance` afterwards. */
  release(): T {
    const item = this.early.get(this.next) as T;
    this.early.delete(this.next);
    return item;
  }

  /** Holds an item that stands for `countOf(item)` numbers, and passes all items that are next to `use`. */
  pass(number: number, item: T, countOf: (item: T) => number, use: (item: T) => void): void {
    this.hold(number, item);
    while (this.isReady) {
      const next = this.release();
      this.advance(countOf(next));
      use(next);
    }
  }

  /** Passes the next `count` numbers. */
  advance(count = 1): void {
    this.next += count;
  }
}
