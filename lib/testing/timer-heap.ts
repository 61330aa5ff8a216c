/**
 * The pending timers, with the next one first.
 *
 * Guarantees: timers are ordered by time, and timers with equal times by their creation; adding and removing cost the
 * logarithm of the number of timers; a cancelled timer is removed at once.
 */
export interface Timer {
  readonly at: number;
  /** The position in the order of creation; unique. */
  readonly order: number;
  readonly action: () => void;
}

interface Entry {
  readonly timer: Timer;
  /** The position in the heap. */
  index: number;
}

export class TimerHeap {
  /** A binary heap: no entry is due before its parent. */
  private readonly entries: Entry[] = [];
  private readonly entryOf = new Map<Timer, Entry>();

  get size(): number {
    return this.entries.length;
  }

  /** The next timer. It stays in the heap. */
  get first(): Timer | undefined {
    return this.entries[0]?.timer;
  }

  add(timer: Timer): void {
    const entry = { timer, index: this.entries.length };
    this.entries.push(entry);
    this.entryOf.set(timer, entry);
    this.rise(entry);
  }

  /** Does nothing if the timer is no longer pending. */
  remove(timer: Timer): void {
    const entry = this.entryOf.get(timer);
    if (entry === undefined) return;
    this.entryOf.delete(timer);
    const last = this.entries.pop() as Entry;
    if (last === entry) return;
    this.put(last, entry.index);
    this.rise(last);
    this.sink(last);
  }

  private rise(entry: Entry): void {
    while (entry.index > 0) {
      const parent = this.entries[(entry.index - 1) >> 1] as Entry;
      if (!isBefore(entry.timer, parent.timer)) return;
      this.swap(parent, entry);
    }
  }

  private sink(entry: Entry): void {
    for (;;) {
      const left = this.entries[2 * entry.index + 1];
      const right = this.entries[2 * entry.index + 2];
      if (left === undefined) return;
      const child = right !== undefined && isBefore(right.timer, left.timer) ? right : left;
      if (!isBefore(child.timer, entry.timer)) return;
      this.swap(entry, child);
    }
  }

  private swap(upper: Entry, lower: Entry): void {
    const { index } = upper;
    this.put(upper, lower.index);
    this.put(lower, index);
  }

  private put(entry: Entry, index: number): void {
    this.entries[index] = entry;
    entry.index = index;
  }
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
