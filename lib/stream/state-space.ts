/**
 * The durable state of one part of a boundary: the entries that an earlier incarnation left, and the changes since the
 * last checkpoint.
 *
 * Guarantees: `changes` is called only between two turns of the event loop, at the moment of a checkpoint. So if a
 * boundary accepts a record, changes its state and lets the record leave in one turn, a checkpoint contains either all
 * of this or nothing.
 */
import type { Lineage } from '../model/record.js';
import type { StateEntries } from '../model/state.js';

/** The new value of a key in an array of one item; undefined if the key is removed. */
export type Change = readonly [key: string, entry: readonly [value: unknown] | undefined];

/** How a boundary reports its state. */
export interface StateHolder {
  /** The changes since the last call. */
  changes(): Iterable<Change>;
  /**
   * Records that the state contains although they are still in flight, such as an open parent. A resumed run need not
   * repeat the work in front of this boundary for them.
   */
  accepted?(): Iterable<Lineage>;
}

const NOTHING: StateEntries = new Map();

export class StateSpace {
  readonly name: string;
  /** The entries of an earlier incarnation. Set before the operators of the run exist. */
  restored: StateEntries = NOTHING;
  private holder: StateHolder | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Sets the only holder of the state. */
  setHolder(holder: StateHolder): void {
    this.holder = holder;
  }

  /** Called when the holder has copied what it needs of `restored`. */
  consumed(): void {
    this.restored = NOTHING;
  }

  changes(): Iterable<Change> {
    return this.holder?.changes() ?? [];
  }

  accepted(): Iterable<Lineage> {
    return this.holder?.accepted?.() ?? [];
  }
}
