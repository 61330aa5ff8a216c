/**
 * The outputs in flight of a task in front of a fork: a task whose records leave by several exits.
 *
 * A record that has passed only some of these exits is not done, so a resumed run needs it again. If the task calls a
 * system outside of the run, the second answer may differ from the first, and the branches would have different values
 * of one record. So the output is in the checkpoint, and a resumed run emits it instead of doing the work again.
 *
 * Guarantees: at most one window of outputs is held. An output whose record became a dead letter behind the fork stays
 * in the store, so that the letter can be replayed.
 */
import { copySlots } from '../ledger/ring.js';
import { Batch, GONE, Routed, type Lineage } from '../model/record.js';
import type { Change, StateHolder, StateSpace } from './state-space.js';
import type { TaskScope } from './task-scope.js';

const NOTHING: unique symbol = Symbol('millrace.nothing');

/** An output in the form in which it is stored, with its name if it has one. */
type Stored = readonly [value: unknown, isLetter: boolean, output?: string];

export class KeptOutcomes implements StateHolder {
  private readonly scope: TaskScope;
  private readonly space: StateSpace;
  /** The numbers of the exits behind the fork. */
  private readonly exits: readonly number[];
  private values: unknown[];
  private mask: number;
  /** The lineages whose output is in the store, with their names. */
  private readonly stored = new Map<Lineage, string>();
  /** Names and outputs of records that became dead letters behind the fork; undefined once the store contains them. */
  private readonly retained = new Map<Lineage, readonly [name: string, value: unknown] | undefined>();
  private pending: Map<string, Stored> | undefined;

  constructor(scope: TaskScope, space: StateSpace, exits: readonly number[]) {
    const { root } = scope;
    this.scope = scope;
    this.space = space;
    this.exits = exits;
    this.values = new Array<unknown>(root.span).fill(NOTHING);
    this.mask = root.span - 1;
    space.setHolder(this);
    root.whenSettled((lineage) => {
      this.values[lineage & this.mask] = NOTHING;
    });
    root.whenLengthened(() => {
      const { values } = this;
      this.values = new Array<unknown>(root.span).fill(NOTHING);
      this.mask = root.span - 1;
      copySlots(values, this.values, root.span, root.born);
    });
  }

  /** Whether an earlier incarnation has left an output of this record. */
  has(lineage: Lineage): boolean {
    return this.restored.size > 0 && this.restored.has(this.scope.identityOf(lineage));
  }

  /**
   * Returns the batch with outputs of earlier incarnations in the slots of the records that were left out in front of
   * the task.
   * @param isNeeded whether a task behind the fork needs the record.
   */
  through(batch: Batch<unknown>, isNeeded: (lineage: Lineage) => boolean): Batch<unknown> {
    const left = this.restored.size > 0 ? this.restore(batch, isNeeded) : batch;
    for (let i = 0; i < left.length; i++) {
      const value = left.values[i];
      if (value !== GONE) this.values[(left.lineages[i] as Lineage) & this.mask] = value;
    }
    return left;
  }

  /** Keeps the output of a record beyond its end, because it became a dead letter. */
  retain(lineage: Lineage): void {
    const value = this.values[lineage & this.mask];
    const isKnown = this.retained.has(lineage) || value === NOTHING;
    if (isKnown || !this.scope.root.isInFlight(lineage)) return;
    // The name is known only while the record is in flight.
    this.retained.set(lineage, [this.scope.identityOf(lineage), value]);
  }

  *changes(): Iterable<Change> {
    const { root } = this.scope;
    for (const [lineage, name] of this.stored) {
      if (lineage >= root.born || root.isInFlight(lineage) || this.retained.has(lineage)) continue;
      this.stored.delete(lineage);
      yield [name, undefined];
    }
    for (let lineage = root.watermark; lineage < root.born; lineage++) {
      const value = this.values[lineage & this.mask];
      if (value !== NOTHING && root.isInFlight(lineage) && this.isNeeded(lineage)) yield* this.store(lineage, value);
    }
    for (const [lineage, letter] of this.retained) {
      if (letter === undefined) continue;
      const [name, value] = letter;
      this.retained.set(lineage, undefined);
      this.stored.set(lineage, name);
      yield [name, [storedForm(value, true)]];
    }
  }

  /** The outputs of earlier incarnations that were not emitted in this one. */
  private get restored(): Map<string, Stored> {
    this.pending ??= new Map(this.space.restored) as Map<string, Stored>;
    return this.pending;
  }

  private restore(batch: Batch<unknown>, isNeeded: (lineage: Lineage) => boolean): Batch<unknown> {
    let values: unknown[] | undefined;
    let gone = batch.gone;
    for (let i = 0; i < batch.length; i++) {
      const lineage = batch.lineages[i] as Lineage;
      if (batch.values[i] !== GONE) continue;
      const name = this.scope.identityOf(lineage);
      const found = this.restored.get(name);
      if (found === undefined) continue;
      this.stored.set(lineage, name);
      // The output in front of a dead letter stays for a later replay.
      if (found[1]) this.retained.set(lineage, undefined);
      if (!isNeeded(lineage)) continue;
      values ??= [...batch.values];
      const [value, , output] = found;
      values[i] = output === undefined ? value : new Routed(output, value);
      this.restored.delete(name);
      gone--;
    }
    return values === undefined ? batch : new Batch(batch.lineages, values, gone);
  }

  private isNeeded(lineage: Lineage): boolean {
    return this.exits.some((exit) => !this.scope.root.hasPassed(exit, lineage));
  }

  private *store(lineage: Lineage, value: unknown): Iterable<Change> {
    if (this.stored.has(lineage)) return;
    const name = this.scope.identityOf(lineage);
    this.stored.set(lineage, name);
    yield [name, [storedForm(value, false)]];
  }
}

function storedForm(value: unknown, isLetter: boolean): Stored {
  return value instanceof Routed ? [value.record, isLetter, value.output] : [value, isLetter];
}
