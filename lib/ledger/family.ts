/**
 * The descent of records in an expanding task: its open parents, and the unsettled children of each.
 *
 * Guarantees: a parent closes exactly once, when its last child has settled and no more will be born. The children of a
 * parent are numbered 0, 1, 2, …. Memory is bounded by the window of the children's root plus the open parents.
 */
import type { RootLedger } from './ledger.js';
import { copySlots } from './ring.js';
import type { Lineage } from '../model/record.js';

export interface FamilyListener {
  /** No more children of the parent will be born. It had `count`; with `isGone` the parent itself ended early. */
  onExpanded(parent: Lineage, count: number, isGone: boolean): void;
}

/** A parent from its beginning until its last child has settled. */
export interface OpenParent {
  /** The children born so far. The next one has this number as its ordinal. */
  born: number;
  /** The children that have settled. */
  settled: number;
  /** True once no more children will be born. */
  isExpanded: boolean;
}

/** The parent of a child that an earlier incarnation has settled. */
const NO_PARENT = -1;

export class Family {
  private closed: (parent: Lineage) => void = () => undefined;
  private readonly open = new Map<Lineage, OpenParent>();
  private parents: Float64Array;
  private ordinals: Int32Array;
  private mask: number;
  private readonly listeners: FamilyListener[] = [];
  private nextChild: number;

  constructor(children: RootLedger) {
    this.nextChild = children.born;
    this.parents = new Float64Array(children.span);
    this.ordinals = new Int32Array(children.span);
    this.mask = children.span - 1;
    children.whenSettled((child) => {
      const parent = this.parentOf(child);
      if (parent !== NO_PARENT) this.settle(parent);
    });
    children.whenLengthened(() => {
      const { parents, ordinals } = this;
      this.parents = new Float64Array(children.span);
      this.ordinals = new Int32Array(children.span);
      this.mask = children.span - 1;
      copySlots(parents, this.parents, children.span, this.nextChild);
      copySlots(ordinals, this.ordinals, children.span, this.nextChild);
    });
  }

  get size(): number {
    return this.open.size;
  }

  listen(listener: FamilyListener): void {
    this.listeners.push(listener);
  }

  /** Sets the listener for parents that have expanded and whose children have all settled. There is one listener. */
  whenClosed(listener: (parent: Lineage) => void): void {
    this.closed = listener;
  }

  /**
   * Opens a parent before its first child, or restores a parent in the state that an earlier incarnation has stored.
   */
  begin(parent: Lineage, from?: OpenParent): void {
    this.open.set(parent, from === undefined ? { born: 0, settled: 0, isExpanded: false } : { ...from });
    if (from?.isExpanded !== true) return;
    for (const listener of this.listeners) listener.onExpanded(parent, from.born, false);
  }

  /**
   * Makes the next child a child of this parent, and returns its ordinal. Must be called once per child, just before
   * its birth.
   */
  announce(parent: Lineage): number {
    const ordinal = (this.open.get(parent) as OpenParent).born++;
    this.place(parent, ordinal);
    return ordinal;
  }

  /** Like `announce`, for a child that is born again. Without a parent the child has settled already. */
  restore(parent: Lineage = NO_PARENT, ordinal = 0): void {
    this.place(parent, ordinal);
  }

  /** The state of an open parent; undefined once it is closed. */
  stateOf(parent: Lineage): OpenParent | undefined {
    return this.open.get(parent);
  }

  /** Ends the birth of children of this parent. */
  expanded(parent: Lineage, isGone: boolean): void {
    const state = this.open.get(parent) as OpenParent;
    state.isExpanded = true;
    for (const listener of this.listeners) listener.onExpanded(parent, state.born, isGone);
    this.closeIfDone(parent, state);
  }

  parentOf(child: Lineage): Lineage {
    return this.parents[child & this.mask] as Lineage;
  }

  /** The position of the child among the children of its parent, from 0. */
  ordinalOf(child: Lineage): number {
    return this.ordinals[child & this.mask] as number;
  }

  private place(parent: Lineage, ordinal: number): void {
    const slot = this.nextChild++ & this.mask;
    this.parents[slot] = parent;
    this.ordinals[slot] = ordinal;
  }

  private settle(parent: Lineage): void {
    const state = this.open.get(parent) as OpenParent;
    state.settled++;
    this.closeIfDone(parent, state);
  }

  private closeIfDone(parent: Lineage, state: OpenParent): void {
    if (!state.isExpanded || state.settled < state.born) return;
    this.open.delete(parent);
    this.closed(parent);
  }
}
