/**
 * The durable state of a run: the spaces of its boundaries, restored before the operators exist, and stored with each
 * checkpoint.
 *
 * Guarantees: the changes of all spaces belong to the moment of the checkpoint, because they are copied before `collect`
 * returns. If a value cannot be copied, the run goes on and reports why it cannot be resumed.
 */
import { withPassed, type Json, type RootProgress } from '../../model/checkpoint.js';
import { MillraceError } from '../../model/errors.js';
import type { StateChange, StateStore } from '../../model/state.js';
import { StateSpace } from '../../stream/state-space.js';

/** An exit of a root at which a boundary accepts records into its state. */
interface Entry {
  readonly root: string;
  readonly label: string;
}

export interface StateParts {
  readonly store: StateStore | undefined;
  /** Reports why the run cannot be resumed. */
  readonly cannotResume: (reason: string) => void;
}

export class StateKeeper {
  private readonly parts: StateParts;
  private readonly spaces = new Map<string, StateSpace>();
  private readonly entries = new Map<StateSpace, Entry>();
  private position: Json | undefined;
  private isBroken = false;

  constructor(parts: StateParts) {
    this.parts = parts;
  }

  /** Whether the run has a store for state. */
  get isKeeping(): boolean {
    return this.parts.store !== undefined;
  }

  /**
   * The space with this name.
   * @param entry where its holder accepts records that stay in flight.
   */
  space(name: string, entry?: Entry): StateSpace {
    const space = this.spaces.get(name) ?? new StateSpace(name);
    this.spaces.set(name, space);
    if (entry !== undefined) this.entries.set(space, entry);
    return space;
  }

  /** Fills the spaces with the entries at this position. */
  async restore(position: Json | undefined): Promise<void> {
    if (position === undefined || position === null || this.parts.store === undefined) return;
    this.position = position;
    for (const [name, entries] of await this.parts.store.restore(position)) this.space(name).restored = entries;
  }

  /** The progress of the roots, in which the records that a state contains count as passed. */
  progressWith(roots: Readonly<Record<string, RootProgress>>): Record<string, RootProgress> {
    const all = { ...roots };
    for (const [space, { root, label }] of this.entries) {
      all[root] = withPassed(all[root] as RootProgress, label, [...space.accepted()]);
    }
    return all;
  }

  /**
   * Stores what has changed. The changes are copied before this method returns. Resolves with the position after them, or
   * with undefined if the run has no store for state.
   */
  async collect(): Promise<Json | undefined> {
    const { store, cannotResume } = this.parts;
    if (store === undefined) return undefined;
    if (this.isBroken) return this.position ?? null;
    const changes: StateChange[] = [];
    for (const space of this.spaces.values()) {
      for (const [key, entry] of space.changes()) changes.push({ space: space.name, key, entry });
    }
    if (changes.length === 0) return this.position ?? null;
    try {
      this.position = await store.append(changes);
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'MILLRACE_UNCLONABLE') throw error;
      this.isBroken = true;
      cannotResume(error.message);
    }
    return this.position ?? null;
  }

  /** Called once a checkpoint with this position is durable. */
  async checkpointed(position: Json | undefined): Promise<void> {
    if (position !== undefined && position !== null) await this.parts.store?.checkpointed?.(position);
  }

  async close(): Promise<void> {
    await this.parts.store?.close?.();
  }
}
