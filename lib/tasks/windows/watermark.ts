/**
 * The watermark of a task: the time that its input has reached. It is the least of the newest times of all channels
 * that may bring more records.
 *
 * Guarantees: it never goes back, also not in a resumed run.
 */
import type { Channels } from '../../ledger/channels.js';
import type { Lineage } from '../../model/record.js';

/** The form in a checkpoint. */
export interface StoredWatermark {
  readonly value: number;
  readonly channels: readonly (readonly [channel: string, newest: number])[];
}

interface Channel {
  /** The time of its newest record. */
  newest: number;
  /** The time of its last arrival, by the clock of the run. */
  seenAt: number;
}

export class Watermark {
  /** Milliseconds since 1970; -Infinity before each open channel has brought a record. */
  value = -Infinity;
  private readonly channels: () => Channels;
  private readonly idleMs: number;
  private readonly now: () => number;
  private readonly startedAt: number;
  private readonly known = new Map<string, Channel>();

  /**
   * @param now the clock of the run.
   * @param idleMs the milliseconds after which a channel without records does not count.
   */
  constructor(channels: () => Channels, now: () => number, idleMs = Infinity) {
    this.channels = channels;
    this.now = now;
    this.idleMs = idleMs;
    this.startedAt = idleMs === Infinity ? 0 : now();
  }

  /**
   * Called with the time of each record; undefined for one that was skipped or given up. The channel of the record
   * counts, also if this is its last record. A time that came with the record is that of its channel.
   */
  observe(lineage: Lineage, timestamp: number | undefined): void {
    const channels = this.channels();
    const at = channels.reachedAt?.(lineage) ?? timestamp;
    if (at === undefined) return;
    const name = channels.of(lineage);
    const channel = this.known.get(name);
    const seenAt = this.idleMs === Infinity ? 0 : this.now();
    if (channel === undefined) {
      this.known.set(name, { newest: at, seenAt });
      this.advance(lineage);
      return;
    }
    channel.seenAt = seenAt;
    if (at <= channel.newest) return;
    // Only the channel that is furthest behind moves the watermark.
    const isLast = channel.newest <= this.value || this.value === -Infinity;
    channel.newest = at;
    if (isLast) this.advance(lineage);
  }

  /**
   * Recomputes the watermark, because channels may have ended or become idle.
   * @param next only channels that are open at this lineage count.
   */
  advance(next: Lineage): void {
    let least = Infinity;
    const open = this.channels().openFrom(next);
    // Before the source has opened, and after its last partition has ended, time stands still.
    if (open.length === 0) return;
    for (const name of open) {
      const channel = this.known.get(name);
      if (!this.isIdle(channel)) least = Math.min(least, channel?.newest ?? -Infinity);
    }
    // If all of them are idle, the channel that is furthest ahead decides.
    const reached = least === Infinity ? this.newest : least;
    if (reached > this.value) this.value = reached;
  }

  /** Moves the watermark to a time of the clock. */
  reach(at: number): void {
    this.value = Math.max(this.value, at);
  }

  /** The milliseconds until a channel becomes idle; undefined if none will. */
  untilIdle(next: Lineage): number | undefined {
    if (this.idleMs === Infinity) return undefined;
    const now = this.now();
    let soonest: number | undefined;
    for (const name of this.channels().openFrom(next)) {
      const left = (this.known.get(name)?.seenAt ?? this.startedAt) + this.idleMs - now;
      if (left > 0) soonest = Math.min(soonest ?? Infinity, left);
    }
    return soonest;
  }

  stored(): StoredWatermark {
    return { value: this.value, channels: [...this.known].map(([name, { newest }]) => [name, newest]) };
  }

  restore({ value, channels }: StoredWatermark): void {
    this.value = value;
    const seenAt = this.idleMs === Infinity ? 0 : this.now();
    for (const [name, newest] of channels) this.known.set(name, { newest, seenAt });
  }

  private get newest(): number {
    let newest = -Infinity;
    for (const channel of this.known.values()) newest = Math.max(newest, channel.newest);
    return newest;
  }

  private isIdle(channel: Channel | undefined): boolean {
    return this.idleMs !== Infinity && this.now() - (channel?.seenAt ?? this.startedAt) >= this.idleMs;
  }
}
