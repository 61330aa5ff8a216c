/**
 * Who descends from whom: the parents an expanding task has open, and the children of each that are not settled.
 *
 * Promises: a parent closes exactly once, when its last child has settled and no more will be born; the children of a
 * parent are numbered 0, 1, 2, …; memory is bounded by the window of the children's root plus the open parents.
 */
import type { RootLedger } from './ledger.js';
import type { Lineage } from '../model/record.js';

export interface FamilyListener {
  /** No more children will be born to the parent; it had `count`, or ended early itself. */
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

  /** Calls back when a parent has expanded and all its children have settled; one listener. */
  whenClosed(listener: (parent: Lineage) => void): void {
    this.closed = listener;
  }

  begin(parent: Lineage): void {
    this.open.set(parent, { born: 0, settled: 0, isExpanded: false });
  }

  /** The next child to be born descends from this parent. Must be called once a child, just before its birth. */
  announce(parent: Lineage): void {
    const state = this.open.get(parent) as OpenParent;
    const slot = this.nextChild++ & this.mask;
    this.parents[slot] = parent;
    this.ordinals[slot] = state.born++;
  }

  /** No more children of this parent will be announced. */
  expanded(parent: Lineage, isGone: boolean): void {
    const state = this.open.get(parent) as OpenParent;
    state.isExpanded = true;
    for (const listener of this.listeners) listener.onExpanded(parent, state.born, isGone);
    this.closeIfDone(parent, state);
  }

  parentOf(child: Lineage): Lineage {
    return this.parents[child & this.mask] as Lineage;
  }

  /** Which child of its parent this is, from 0. */
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
