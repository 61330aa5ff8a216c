/**
 * A bounded first-in first-out queue in one array that grows on demand: push and shift are O(1), and items never move.
 *
 * Guarantees: the queue never holds more items than its capacity. A push beyond it throws, because it means a broken
 * law of the ledger.
 */
import { MillraceError } from '../model/errors.js';

export class Ring<T> {
  readonly capacity: number;
  private readonly slots: (T | undefined)[] = [];
  private readonly mask: number;
  private head = 0;
  private count = 0;

  /** @param capacity the most items at once, at least 1. */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.mask = nextPowerOfTwo(capacity) - 1;
  }

  get size(): number {
    return this.count;
  }

  push(item: T): void {
    if (this.count === this.capacity) {
      throw new MillraceError(
        'MILLRACE_CONSERVATION',
        `A queue between tasks was pushed beyond its capacity of ${this.capacity}: the window was exceeded`,
      );
    }
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
}

/** The smallest power of two that is at least `n`. */
export function nextPowerOfTwo(n: number): number {
  let power = 1;
  while (power < n) power *= 2;
  return power;
}
