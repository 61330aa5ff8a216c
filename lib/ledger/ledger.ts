/**
 * The ledger of one root: the lineages in flight, the exits that each must still pass, and the credits for more births.
 *
 * Every edge that leaves the root's region (a task without dependents, the input of a boundary) is an *exit*. A lineage
 * passes each exit exactly once, as a value or as `GONE`; when it has passed the last one it is settled. This is
 * equivalent to a count of branches (birth +1, fan-out +(k−1), join −(k−1), sink −1). One bit per exit is enough,
 * because inside a region every lineage flows along every edge: see DECISIONS.md, 2.
 *
 * The lineages of a source with several partitions are slots of one incarnation; see `partitions.ts`.
 *
 * A circuit breaker may widen the window for a while, because records behind those in flight are the only evidence that
 * it can get.
 *
 * Guarantees: no lineage is born while the window is full. The watermark never passes an unsettled lineage and never
 * goes back. A lineage that leaves through one exit twice, or was never born, breaks a law and throws
 * MILLRACE_CONSERVATION.
 */
import { MillraceError } from '../model/errors.js';
import type { RootProgress } from '../model/checkpoint.js';
import type { LineageId } from '../model/ports.js';
import type { Lineage } from '../model/record.js';
import { ONE_CHANNEL, type Channels } from './channels.js';
import { PartitionLedgers } from './partitions.js';
import { nextPowerOfTwo } from './ring.js';

/** A widened window is at most this many times the configured window. */
const WIDEST = 64;

export class RootLedger {
  /** The name of the task at which the lineages are born. */
  readonly name: string;
  /** The window as it is configured. */
  private readonly baseWindow: number;
  private windowNow: number;
  /** The widest window so far. */
  private widest: number;
  private spanNow: number;
  /** The parts that need a wider window. */
  private readonly wideners = new Set<object>();
  private readonly wideningListeners: (() => void)[] = [];

  private readonly exits: string[] = [];
  private mask: number;
  private words = 1;
  /** One bit per exit that is not passed yet; `words` integers per lineage. */
  private pending: Int32Array;
  private first: Lineage = 0;
  private next: Lineage = 0;
  private low: Lineage = 0;
  private flying = 0;
  private exhausted = false;
  private divided: PartitionLedgers | undefined;
  private united: Channels | undefined;
  private readonly roomListeners: (() => void)[] = [];
  private readonly channelListeners: (() => void)[] = [];
  private onSettled: ((lineage: Lineage) => void) | undefined;

  /** @param window the most lineages in flight, at least 1. */
  constructor(name: string, window: number) {
    this.name = name;
    this.baseWindow = window;
    this.windowNow = window;
    this.widest = window;
    this.spanNow = nextPowerOfTwo(window * 4);
    this.mask = this.spanNow - 1;
    this.pending = new Int32Array(this.spanNow);
  }

  /** The most lineages in flight, at present. */
  get window(): number {
    return this.windowNow;
  }

  /**
   * How far births may run ahead of the watermark, a power of two. It bounds the set of settled lineages above the
   * watermark. It never gets smaller.
   */
  get span(): number {
    return this.spanNow;
  }

  /** The most lineages that a queue may have to hold. It never gets smaller. */
  readonly mostInFlight = (): number => this.widest;

  /** The bound of queues that also hold settled records. It never gets smaller. */
  readonly mostSpan = (): number => this.spanNow;

  /** The number of the next birth, which is the number of births in all incarnations of the run. */
  get born(): number {
    return this.next;
  }

  /** Births in this incarnation. */
  get bornHere(): number {
    return this.next - this.first;
  }

  get inFlight(): number {
    return this.flying;
  }

  /** Lineages settled in this incarnation. */
  get settled(): number {
    return this.bornHere - this.flying;
  }

  /** Every lineage below this one is settled. */
  get watermark(): Lineage {
    return this.low;
  }

  /** Credits: how many lineages may be born at present. */
  get room(): number {
    return Math.max(0, Math.min(this.windowNow - this.flying, this.spanNow - (this.next - this.low)));
  }

  /** Whether `exhaust` was called: no more lineages will be born. */
  get isExhausted(): boolean {
    return this.exhausted;
  }

  /** Whether the root is exhausted and has nothing in flight. */
  get isComplete(): boolean {
    return this.exhausted && this.flying === 0;
  }

  /** The labels of the exits, by their numbers. */
  get exitLabels(): readonly string[] {
    return this.exits;
  }

  /** The ledgers of the partitions; undefined if the lineages are the numbers of the records. */
  get partitions(): PartitionLedgers | undefined {
    return this.divided;
  }

  /**
   * Divides the root into partitions: lineages are slots of this incarnation from now on. Must precede the first birth.
   */
  divide(): PartitionLedgers {
    if (this.bornHere > 0) throw this.broken('it was divided into partitions after lineages were born');
    if (this.divided === undefined) {
      this.divided = new PartitionLedgers(this);
      this.divided.whenChanged(this.channelsChanged);
    }
    return this.divided;
  }

  /** The streams that the records came in. */
  get channels(): Channels {
    return this.divided ?? this.united ?? ONE_CHANNEL;
  }

  /** Sets the channels of a root that unites others. Must precede the first birth. */
  unite(channels: Channels): void {
    this.united = channels;
    channels.whenChanged(this.channelsChanged);
  }

  /** Adds a listener, called when a channel has ended or a new one has appeared. */
  whenChannelsChanged(listener: () => void): void {
    this.channelListeners.push(listener);
  }

  /**
   * The identity of a lineage in flight: its partition and its number in the partition, the same in each incarnation.
   */
  identify(lineage: Lineage): LineageId {
    const { name: root, divided } = this;
    if (divided === undefined) return { root, partition: 0, number: lineage };
    return { root, partition: divided.partitionOf(lineage), number: divided.numberOf(lineage) };
  }

  /**
   * Doubles the window until `narrow`, and returns whether that was possible. Call `wake` afterwards, in a turn of its
   * own. A window of one record is never widened, because it means that records run one after another.
   *
   * @param by the part that needs it.
   */
  widen(by: object): boolean {
    const most = this.baseWindow * WIDEST;
    if (this.baseWindow === 1 || this.windowNow >= most) return false;
    this.wideners.add(by);
    this.windowNow = Math.min(most, this.windowNow * 2);
    this.widest = Math.max(this.widest, this.windowNow);
    const span = nextPowerOfTwo(this.windowNow * 4);
    if (span > this.spanNow) this.lengthen(span);
    return true;
  }

  /** Ends the widening by this part. Records in flight are not affected; births wait until there is room again. */
  narrow(by: object): void {
    if (this.wideners.delete(by) && this.wideners.size === 0) this.windowNow = this.baseWindow;
  }

  /** Adds a listener that is called when `span` has grown. Rings of this length must be copied then. */
  whenLengthened(listener: () => void): void {
    this.wideningListeners.push(listener);
  }

  /** Declares an exit and returns its number. Must precede the first birth. */
  addExit(label: string): number {
    if (this.bornHere > 0) throw this.broken(`exit ${label} was added after lineages were born`);
    const exit = this.exits.push(label) - 1;
    this.words = Math.ceil(this.exits.length / 32);
    if (this.pending.length < this.span * this.words) this.pending = new Int32Array(this.span * this.words);
    return exit;
  }

  /** Sets the number of the first birth: earlier lineages settled in previous incarnations of the run. */
  startAt(lineage: Lineage): void {
    if (this.next > 0) throw this.broken(`it was to start at ${lineage} after lineages were born`);
    this.next = lineage;
    this.low = lineage;
    this.first = lineage;
  }

  /** Adds a listener that is called after lineages have settled, when there are credits. */
  whenRoom(wake: () => void): void {
    this.roomListeners.push(wake);
  }

  /** Adds a listener that is called with each lineage as it settles. */
  whenSettled(listener: (lineage: Lineage) => void): void {
    const earlier = this.onSettled;
    this.onSettled =
      earlier === undefined
        ? listener
        : (lineage) => {
            earlier(lineage);
            listener(lineage);
          };
  }

  /** Gives birth to `count` consecutive lineages and returns the first. */
  birth(count: number): Lineage {
    if (count > this.room) throw this.broken(`${count} births with room for ${this.room}`);
    const first = this.next;
    const exits = this.exits.length;
    if (this.words === 1) {
      const all = exits === 32 ? -1 : (1 << exits) - 1;
      const at = first & this.mask;
      const upTo = Math.min(this.span, at + count);
      this.pending.fill(all, at, upTo);
      this.pending.fill(all, 0, at + count - upTo);
    } else {
      for (let lineage = first; lineage < first + count; lineage++) this.openWide(lineage, exits);
    }
    this.next = first + count;
    this.flying += count;
    return first;
  }

  /** Declares that no more lineages will be born. */
  exhaust(): void {
    this.exhausted = true;
  }

  private readonly channelsChanged = (): void => {
    for (const listener of this.channelListeners) listener();
  };

  /** Lets these lineages pass the exit, and wakes the root once, at the end, if it has credits. */
  leave(exit: number, lineages: readonly Lineage[]): void {
    if (this.words === 1) this.passNarrow(exit, lineages);
    else for (let i = 0; i < lineages.length; i++) this.pass(exit, lineages[i] as Lineage);
    this.advance();
    this.wake();
  }

  /** Lets one lineage pass the exit. */
  leaveOne(exit: number, lineage: Lineage): void {
    this.pass(exit, lineage);
    this.advance();
    this.wake();
  }

  /** Whether the lineage was born and has not settled. */
  isInFlight(lineage: Lineage): boolean {
    if (lineage < this.low || lineage >= this.next) return false;
    return !this.isClear(lineage);
  }

  /** Whether a lineage, from the watermark on, has passed the exit. */
  hasPassed(exit: number, lineage: Lineage): boolean {
    return !this.isPending(exit, lineage);
  }

  /** The whole progress of the root, per exit, for a checkpoint. */
  progress(): RootProgress {
    if (this.divided !== undefined) return this.divided.progress();
    const passed: Record<string, number[]> = {};
    this.exits.forEach((label, exit) => {
      const ranges: number[] = [];
      for (let lineage = this.low; lineage < this.next; lineage++) {
        if (this.isPending(exit, lineage)) continue;
        if (ranges.at(-1) === lineage) ranges[ranges.length - 1] = lineage + 1;
        else ranges.push(lineage, lineage + 1);
      }
      if (ranges.length > 0) passed[label] = ranges;
    });
    return { watermark: this.low, born: this.next, passed };
  }

  /** The oldest lineage in flight and the exits it has not passed, for a stall report. */
  oldest(): { lineage: Lineage; exits: string[] } | undefined {
    if (this.low === this.next) return undefined;
    return { lineage: this.low, exits: this.exits.filter((_, exit) => this.isPending(exit, this.low)) };
  }

  /**
   * Counts the lineages in flight from the bits, and throws if the running totals differ. Costs one pass over the
   * lineages above the watermark (at most `span`).
   */
  assertConservation(): void {
    let counted = 0;
    for (let lineage = this.low; lineage < this.next; lineage++) if (!this.isClear(lineage)) counted++;
    if (counted !== this.flying || this.flying > this.mostInFlight()) {
      throw this.broken(
        `born ${this.bornHere} ≠ settled ${this.settled} + in flight ${counted} (window ${this.window}, counted as ${this.flying})`,
      );
    }
  }

  /** `pass` for up to 32 exits, as one loop on locals: every record of a run comes through here. */
  private passNarrow(exit: number, lineages: readonly Lineage[]): void {
    const { pending, mask, next, low } = this;
    const bit = 1 << exit;
    for (let i = 0; i < lineages.length; i++) {
      const lineage = lineages[i] as Lineage;
      const bits = pending[lineage & mask] as number;
      if ((bits & bit) === 0 || lineage >= next || lineage < low) throw this.passedTwice(exit, lineage);
      pending[lineage & mask] = bits & ~bit;
      if (bits === bit) this.settle(lineage);
    }
  }

  private pass(exit: number, lineage: Lineage): void {
    const slot = (lineage & this.mask) * this.words + (exit >> 5);
    const bit = 1 << (exit & 31);
    const bits = this.pending[slot] as number;
    // Below the watermark and above the last birth the slot may belong to another lineage.
    if ((bits & bit) === 0 || lineage >= this.next || lineage < this.low) {
      throw this.passedTwice(exit, lineage);
    }
    this.pending[slot] = bits & ~bit;
    if (bits === bit && (this.words === 1 || this.isClear(lineage))) this.settle(lineage);
  }

  private settle(lineage: Lineage): void {
    this.flying--;
    this.onSettled?.(lineage);
  }

  /** Moves the watermark up to the first lineage that has not settled. */
  private advance(): void {
    let { low } = this;
    while (low < this.next && this.isClear(low)) low++;
    this.low = low;
  }

  private isPending(exit: number, lineage: Lineage): boolean {
    const word = this.pending[(lineage & this.mask) * this.words + (exit >> 5)] as number;
    return (word & (1 << (exit & 31))) !== 0;
  }

  private isClear(lineage: Lineage): boolean {
    if (this.words === 1) return this.pending[lineage & this.mask] === 0;
    const base = (lineage & this.mask) * this.words;
    for (let word = 0; word < this.words; word++) if (this.pending[base + word] !== 0) return false;
    return true;
  }

  private openWide(lineage: Lineage, exits: number): void {
    const base = (lineage & this.mask) * this.words;
    for (let word = 0; word < this.words; word++) {
      const here = Math.min(32, exits - word * 32);
      this.pending[base + word] = here === 32 ? -1 : (1 << here) - 1;
    }
  }

  /** Calls the listeners of `whenRoom` if there are credits. */
  wake(): void {
    if (this.room <= 0) return;
    for (const wake of this.roomListeners) wake();
  }

  private lengthen(span: number): void {
    const { pending, words, mask } = this;
    this.pending = new Int32Array(span * words);
    this.spanNow = span;
    this.mask = span - 1;
    for (let lineage = this.low; lineage < this.next; lineage++) {
      for (let word = 0; word < words; word++) {
        this.pending[(lineage & this.mask) * words + word] = pending[(lineage & mask) * words + word] as number;
      }
    }
    for (const listener of this.wideningListeners) listener();
  }

  private passedTwice(exit: number, lineage: Lineage): MillraceError {
    return this.broken(`lineage ${lineage} left by ${this.exits[exit] ?? `exit ${exit}`} twice, or was never born`);
  }

  private broken(what: string): MillraceError {
    return new MillraceError(
      'MILLRACE_CONSERVATION',
      `The ledger of root '${this.name}' does not balance: ${what}. The run stops, because a wrong answer is worse`,
    );
  }
}
