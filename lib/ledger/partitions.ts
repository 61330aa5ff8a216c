/**
 * The ledgers of the partitions of one root. The root assigns the slots 0, 1, 2, … to its lineages in the order of
 * their birth; a slot is valid in one incarnation only. A record is identified by its partition and its number in the
 * partition.
 *
 * Guarantees: the progress of each partition is its own. The watermark of a partition never passes an unsettled record
 * of the partition, and a record of another partition never holds it back. Memory is bounded by the span of the root.
 */
import { rootProgressOf, type LedgerProgress, type RootProgress } from '../model/checkpoint.js';
import type { Lineage } from '../model/record.js';
import type { Channels, ChannelTime } from './channels.js';
import { copySlots } from './ring.js';

/** The ledger of the slots, as far as the partitions need it. */
export interface SlotLedger {
  /** The size of the ring of slots, a power of two. */
  readonly span: number;
  /** Every slot below this one has settled. */
  readonly watermark: Lineage;
  /** The slot of the next birth. */
  readonly born: Lineage;
  /** The labels of the exits. */
  readonly exitLabels: readonly string[];
  /** Adds a listener that is called when `span` has grown. */
  whenLengthened(listener: () => void): void;
  /** Whether the slot was born and has not settled. */
  isInFlight(slot: Lineage): boolean;
  /** Whether the slot, from the watermark on, has passed the exit with this number. */
  hasPassed(exit: number, slot: Lineage): boolean;
}

/** The numbers with which a partition begins. */
export interface PartitionStart {
  /** The number of the first record of the partition in the first incarnation. */
  readonly first: Lineage;
  /** Every record below this number has settled, so the first birth has this number or a higher one. */
  readonly from: Lineage;
  /** The channels of the partition, if its records came with the times of channels. Default: the partition is one. */
  readonly channels?: readonly string[];
}

interface PartitionLedger {
  readonly partition: number;
  /** The names of its channels. */
  readonly channels: readonly string[];
  /** The first slot that cannot belong to the partition. */
  endedAt: Lineage;
  readonly first: Lineage;
  /** Every number below this one has settled. It is moved only by slots below the watermark of the root. */
  floor: Lineage;
}

export class PartitionLedgers implements Channels {
  private readonly root: SlotLedger;
  private readonly ledgers: PartitionLedger[] = [];
  private readonly places = new Map<number, number>();
  /** Per slot in flight: the place of its partition in `ledgers`, and its number. */
  private owners: Int32Array;
  private numbers: Float64Array;
  /** Per slot in flight: its channel and time, if the records came with them. */
  private times: (ChannelTime | undefined)[] = [];
  private mask: number;
  /** Every slot below this one is counted in the floor of its partition. */
  private swept: Lineage;
  private readonly listeners: (() => void)[] = [];

  constructor(root: SlotLedger) {
    this.root = root;
    this.owners = new Int32Array(root.span);
    this.numbers = new Float64Array(root.span);
    this.mask = root.span - 1;
    this.swept = root.born;
    root.whenLengthened(() => {
      const { owners, numbers } = this;
      this.owners = new Int32Array(root.span);
      this.numbers = new Float64Array(root.span);
      this.mask = root.span - 1;
      copySlots(owners, this.owners, root.span, root.born);
      copySlots(numbers, this.numbers, root.span, root.born);
      if (this.times.length > 0) {
        const { times } = this;
        this.times = new Array<undefined>(root.span).fill(undefined);
        copySlots(times, this.times, root.span, root.born);
      }
    });
  }

  /** Opens the ledger of a partition. Must precede its first birth, and is called once per partition. */
  open(partition: number, { first, from, channels }: PartitionStart): void {
    const ledger = { partition, channels: channels ?? [String(partition)], endedAt: Infinity, first, floor: from };
    if (channels !== undefined) this.reachedAt = (slot) => this.times[slot & this.mask]?.reached;
    const place = this.ledgers.push(ledger) - 1;
    this.places.set(partition, place);
    for (const listener of this.listeners) listener();
  }

  /** Called when a partition is over, with the first slot that cannot belong to it. */
  end(partition: number, slot: Lineage): void {
    this.ledgerAt(this.places.get(partition) as number).endedAt = slot;
    for (const listener of this.listeners) listener();
  }

  of(slot: Lineage): string {
    const owner = this.ledgerAt(this.owners[slot & this.mask] as number);
    return this.times[slot & this.mask]?.channel ?? (owner.channels[0] as string);
  }

  /** Present if a partition has channels of its own. */
  reachedAt?: (slot: Lineage) => number | undefined;

  all(): readonly string[] {
    return this.ledgers.flatMap(({ channels }) => channels);
  }

  openFrom(slot: Lineage): readonly string[] {
    return this.ledgers.filter(({ endedAt }) => slot < endedAt).flatMap(({ channels }) => channels);
  }

  whenChanged(listener: () => void): void {
    this.listeners.push(listener);
  }

  /**
   * Assigns these ascending numbers of the partition to the next births of the root. Must be called just before the
   * births: nothing else may be born in between.
   * @param times the channel and time of each of them, if the records came with them.
   */
  announce(partition: number, numbers: readonly Lineage[], times?: readonly ChannelTime[]): void {
    this.sweep();
    const place = this.places.get(partition) as number;
    const slot = this.root.born;
    for (let i = 0; i < numbers.length; i++) {
      this.owners[(slot + i) & this.mask] = place;
      this.numbers[(slot + i) & this.mask] = numbers[i] as Lineage;
    }
    if (times === undefined) return;
    if (this.times.length === 0) this.times = new Array<undefined>(this.root.span).fill(undefined);
    for (let i = 0; i < times.length; i++) this.times[(slot + i) & this.mask] = times[i];
  }

  /** The partition of a slot in flight. */
  partitionOf(slot: Lineage): number {
    return this.ledgerAt(this.owners[slot & this.mask] as number).partition;
  }

  /** The number, in its partition, of a slot in flight. */
  numberOf(slot: Lineage): Lineage {
    return this.numbers[slot & this.mask] as Lineage;
  }

  /** A number of the partition below which every record has settled; the watermark may be higher. Its cost is small. */
  floorOf(partition: number): Lineage {
    this.sweep();
    const place = this.places.get(partition) as number;
    return this.ledgerAt(place).floor;
  }

  /** The progress of each partition. Costs one pass over the lineages above the watermark of the root. */
  progress(): RootProgress {
    this.sweep();
    const slots = this.ledgers.map((): Lineage[] => []);
    for (let slot = this.root.watermark; slot < this.root.born; slot++) {
      (slots[this.owners[slot & this.mask] as number] as Lineage[]).push(slot);
    }
    return rootProgressOf(
      Object.fromEntries(
        this.ledgers.map((ledger, place) => [ledger.partition, this.progressOf(ledger, slots[place] as Lineage[])]),
      ),
    );
  }

  private progressOf({ first, floor }: PartitionLedger, slots: readonly Lineage[]): LedgerProgress {
    const start = slots.findIndex((slot) => this.root.isInFlight(slot));
    const above = start === -1 ? [] : slots.slice(start);
    const passed: Record<string, number[]> = {};
    this.root.exitLabels.forEach((label, exit) => {
      const ranges: number[] = [];
      let hasPassedBefore = false;
      for (const slot of above) {
        const hasPassed = this.root.hasPassed(exit, slot);
        const number = this.numberOf(slot);
        // Numbers that are missing between two records do not belong to a record, so a range may cover them.
        if (hasPassed && hasPassedBefore) ranges[ranges.length - 1] = number + 1;
        else if (hasPassed) ranges.push(number, number + 1);
        hasPassedBefore = hasPassed;
      }
      if (ranges.length > 0) passed[label] = ranges;
    });
    const [oldest] = above;
    const newest = slots.at(-1);
    // Numbers that were announced and are not born yet do not count.
    const born = newest === undefined ? floor : this.numberOf(newest) + 1;
    return {
      ...(first > 0 && { first }),
      watermark: oldest === undefined ? born : this.numberOf(oldest),
      born,
      passed,
    };
  }

  /** Raises the floors of the partitions by the slots that have settled since the last call. */
  private sweep(): void {
    const { watermark } = this.root;
    for (; this.swept < watermark; this.swept++) {
      const slot = this.swept;
      this.ledgerAt(this.owners[slot & this.mask] as number).floor = this.numberOf(slot) + 1;
    }
  }

  private ledgerAt(place: number): PartitionLedger {
    return this.ledgers[place] as PartitionLedger;
  }
}
