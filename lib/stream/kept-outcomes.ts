/**
 * The outputs in flight of a task in front of a fork: a task whose records leave by several exits.
 *
 * A record that has passed only some of these exits is not done, so a resumed run needs it again. If the task calls a
 * system outside of the run, the second answer may differ from the first, and the branches would have different values
 * of one record. So the output is in the checkpoint, and a resumed run emits it instead of doing the work again. "No
 * output" is an outcome too, from the moment at which the record has left by one of the exits.
 *
 * Guarantees: at most one window of outputs is held. If a record becomes a dead letter behind the fork, or on a branch
 * beside it, its output stays in the store, so that the letter can be replayed.
 */
import { copySlots } from '../ledger/ring.js';
import { Batch, GONE, Routed, type Lineage } from '../model/record.js';
import type { Change, StateHolder, StateSpace } from './state-space.js';
import type { TaskScope } from './task-scope.js';

const NOTHING: unique symbol = Symbol('millrace.nothing');

/**
 * An output in the form in which it is stored, with its name if it has one. The name is null if there was no output.
 */
type Stored = readonly [value: unknown, isLetter: boolean, output?: string | null];

export class KeptOutcomes implements StateHolder {
  private readonly scope: TaskScope;
  private readonly space: StateSpace;
  /** The numbers of the exits behind the fork. */
  private readonly exits: readonly number[];
  private readonly wasNoticed: (lineage: Lineage) => boolean;
  private values: unknown[];
  private mask: number;
  /** The lineages whose output is in the store, with their names. */
  private readonly stored = new Map<Lineage, string>();
  /** Names and outputs of records that became dead letters behind the fork; undefined once the store contains them. */
  private readonly retained = new Map<Lineage, readonly [name: string, value: unknown] | undefined>();
  /** The lineages that became dead letters before the task had an output. */
  private readonly awaited = new Set<Lineage>();
  private pending: Map<string, Stored> | undefined;

  /**
   * @param exits the numbers of the exits behind the fork.
   * @param wasNoticed whether a branch had ended the record in an earlier incarnation.
   */
  constructor(
    scope: TaskScope,
    space: StateSpace,
    exits: readonly number[],
    wasNoticed: (lineage: Lineage) => boolean,
  ) {
    const { root } = scope;
    this.scope = scope;
    this.space = space;
    this.exits = exits;
    this.wasNoticed = wasNoticed;
    this.values = new Array<unknown>(root.span).fill(NOTHING);
    this.mask = root.span - 1;
    space.setHolder(this);
    root.whenSettled((lineage) => {
      this.values[lineage & this.mask] = NOTHING;
      this.awaited.delete(lineage);
    });
    root.whenLengthened(() => {
      const { values } = this;
      this.values = new Array<unknown>(root.span).fill(NOTHING);
      this.mask = root.span - 1;
      copySlots(values, this.values, root.span, root.born);
    });
  }

  get task(): string {
    return this.scope.task;
  }

  /** Whether an earlier incarnation has left the outcome of this record. */
  has(lineage: Lineage): boolean {
    return this.restored.size > 0 && this.find(lineage, this.scope.identityOf(lineage)) !== undefined;
  }

  /**
   * Returns the batch with outputs of earlier incarnations in the slots of the records that were left out in front of
   * the task.
   * @param isNeeded whether a task behind the fork needs the record.
   */
  through(batch: Batch<unknown>, isNeeded: (lineage: Lineage) => boolean): Batch<unknown> {
    const left = this.restored.size > 0 ? this.restore(batch, isNeeded) : batch;
    for (let i = 0; i < left.length; i++) {
      const lineage = left.lineages[i] as Lineage;
      const slot = lineage & this.mask;
      const value = left.values[i];
      // An output of an earlier incarnation that no branch needs is known all the same.
      if (value !== GONE || this.values[slot] === NOTHING) this.values[slot] = value;
      if (this.awaited.size > 0 && this.awaited.delete(lineage)) this.retain(lineage);
    }
    return left;
  }

  /**
   * Keeps the outcome of a record beyond its end, because the record became a dead letter elsewhere. In a replay of the
   * letter, the branches beside it get the outcome again.
   */
  retain(lineage: Lineage): void {
    if (this.retained.has(lineage) || !this.scope.root.isInFlight(lineage)) return;
    const value = this.values[lineage & this.mask];
    if (value === NOTHING) this.awaited.add(lineage);
    // The name is known only while the record is in flight.
    else this.retained.set(lineage, [this.scope.identityOf(lineage), value]);
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
      if (value === NOTHING || !root.isInFlight(lineage) || !this.isNeeded(lineage)) continue;
      if (value !== GONE || this.isNoticed(lineage)) yield* this.store(lineage, value);
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

  /** No output counts only where a branch has ended the record without one. Otherwise the work may be done again. */
  private find(lineage: Lineage, name: string): Stored | undefined {
    const found = this.restored.get(name);
    return found?.[2] === null && !this.wasNoticed(lineage) ? undefined : found;
  }

  private restore(batch: Batch<unknown>, isNeeded: (lineage: Lineage) => boolean): Batch<unknown> {
    let values: unknown[] | undefined;
    let gone = batch.gone;
    for (let i = 0; i < batch.length; i++) {
      const lineage = batch.lineages[i] as Lineage;
      if (batch.values[i] !== GONE) continue;
      const name = this.scope.identityOf(lineage);
      const found = this.find(lineage, name);
      if (found === undefined) continue;
      this.stored.set(lineage, name);
      // The output in front of a dead letter stays for a later replay.
      if (found[1]) this.retained.set(lineage, undefined);
      const value = outcomeOf(found);
      this.values[lineage & this.mask] = value;
      if (value !== GONE && !isNeeded(lineage)) continue;
      this.restored.delete(name);
      if (value === GONE) continue;
      values ??= [...batch.values];
      values[i] = value;
      gone--;
    }
    return values === undefined ? batch : new Batch(batch.lineages, values, gone);
  }

  private isNeeded(lineage: Lineage): boolean {
    return this.exits.some((exit) => !this.scope.root.hasPassed(exit, lineage));
  }

  /** Whether a branch has ended the record. */
  private isNoticed(lineage: Lineage): boolean {
    return this.exits.some((exit) => this.scope.root.hasPassed(exit, lineage));
  }

  private *store(lineage: Lineage, value: unknown): Iterable<Change> {
    if (this.stored.has(lineage)) return;
    const name = this.scope.identityOf(lineage);
    this.stored.set(lineage, name);
    yield [name, [storedForm(value, false)]];
  }
}

function storedForm(value: unknown, isLetter: boolean): Stored {
  if (value === GONE) return [null, isLetter, null];
  return value instanceof Routed ? [value.record, isLetter, value.output] : [value, isLetter];
}

function outcomeOf([value, , output]: Stored): unknown {
  if (output === null) return GONE;
  return output === undefined ? value : new Routed(output, value);
}
