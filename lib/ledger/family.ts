/**
 * The descent of records in an expanding task: its open parents, and the unsettled children of each.
 *
 * Guarantees: a parent closes exactly once, when its last child has settled and no more will be born. The children of a
 * parent are numbered 0, 1, 2, …. Memory is bounded by the window of the children's root plus the open parents.
 */
import type { RootLedger } from './ledger.js';
import type { Lineage } from '../model/record.js';

export interface FamilyListener {
  /** No more children of the parent will be born. It had `count`; with `isGone` the parent itself ended early. */
  onExpanded(parent: Lineage, count: number, isGone: boolean): void;
}

interface OpenParent {
  born: number;
  settled: number;
  isExpanded: boolean;
}

export class Family {
  private closed: (parent: Lineage) => void = () => undefined;
  private readonly open = new Map<Lineage, OpenParent>();
  private readonly parents: Float64Array;
  private readonly ordinals: Int32Array;
  private readonly mask: number;
  private readonly listeners: FamilyListener[] = [];
  private nextChild = 0;

  constructor(children: RootLedger) {
    this.parents = new Float64Array(children.span);
    this.ordinals = new Int32Array(children.span);
    this.mask = children.span - 1;
    children.whenSettled((child) => {
      this.settle(this.parentOf(child));
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

  /** Opens a parent, before its first child. */
  begin(parent: Lineage): void {
    this.open.set(parent, { born: 0, settled: 0, isExpanded: false });
  }

  /** Makes the next child a child of this parent. Must be called once per child, just before its birth. */
  announce(parent: Lineage): void {
    const state = this.open.get(parent) as OpenParent;
    const slot = this.nextChild++ & this.mask;
    this.parents[slot] = parent;
    this.ordinals[slot] = state.born++;
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
