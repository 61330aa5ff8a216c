/**
 * A bounded first-in first-out queue in one array that grows on demand: push and shift are O(1), and items move only
 * when the capacity grows.
 *
 * Guarantees: the queue never holds more items than its capacity. A push beyond it throws, because it breaks a law of
 * the ledger. The capacity grows if the window from which it is derived was widened.
 */
import { MillraceError } from '../model/errors.js';

export class Ring<T> {
  private most: number;
  private readonly mostNow: () => number;
  private slots: (T | undefined)[] = [];
  private mask: number;
  private head = 0;
  private count = 0;

  /** @param capacity the most items at a time, at least 1, or a function that returns this number. */
  constructor(capacity: number | (() => number)) {
    this.mostNow = typeof capacity === 'number' ? () => capacity : capacity;
    this.most = this.mostNow();
    this.mask = nextPowerOfTwo(this.most) - 1;
  }

  get capacity(): number {
    return this.most;
  }

  get size(): number {
    return this.count;
  }

  push(item: T): void {
    if (this.count === this.most) this.grow();
    this.slots[(this.head + this.count) & this.mask] = item;
    this.count++;
  }

  /** Removes the oldest item and returns it. Call only while `size` is above 0: items may be `undefined` themselves. */
  shift(): T {
    const item = this.slots[this.head] as T;
    this.slots[this.head] = undefined;
    this.head = (this.head + 1) & this.mask;
    this.count--;
    return item;
  }

  clear(): void {
    this.slots.length = 0;
    this.head = 0;
    this.count = 0;
  }

  /** Adopts a larger capacity, or throws if there is none. */
  private grow(): void {
    const most = this.mostNow();
    if (most <= this.most) {
      throw new MillraceError(
        'MILLRACE_CONSERVATION',
        `A queue between tasks was pushed beyond its capacity of ${this.most}: the window was exceeded`,
      );
    }
    const { slots, head, count, mask } = this;
    this.slots = Array.from({ length: count }, (_, index) => slots[(head + index) & mask]);
    this.head = 0;
    this.most = most;
    this.mask = nextPowerOfTwo(most) - 1;
  }
}

/**
 * Copies the slots of the lineages below `end` from a ring into a longer one, which has a place for each of them. Both
 * lengths are powers of two.
 */
export function copySlots<T>(from: ArrayLike<T>, into: Record<number, T>, length: number, end: number): void {
  const mask = from.length - 1;
  for (let lineage = Math.max(0, end - from.length); lineage < end; lineage++) {
    into[lineage & (length - 1)] = from[lineage & mask] as T;
  }
}

/** The smallest power of two that is at least `n`. */
export function nextPowerOfTwo(n: number): number {
  let power = 1;
  while (power < n) power *= 2;
  return power;
}
