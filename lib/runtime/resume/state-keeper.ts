/**
 * The durable state of a run: the spaces of its boundaries, restored before the operators exist, and stored with each
 * checkpoint.
 *
 * Guarantees: the changes of all spaces belong to the moment of the checkpoint, because they are copied before
 * `collect` returns. If a value cannot be copied, the run continues and reports why it cannot be resumed.
 */
import { withPassed, type Json, type RootProgress } from '../../model/checkpoint.js';
import { MillraceError } from '../../model/errors.js';
import type { StateChange, StateStore } from '../../model/state.js';
import { lostClass } from '../../stream/lost-class.js';
import { StateSpace } from '../../stream/state-space.js';

/** In each checkpoint, the first changes of a space are checked, and after them one in `CHECKED_EACH`. */
const CHECKED_FIRST = 32;
const CHECKED_EACH = 256;

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
  private failure: { readonly error: unknown } | undefined;
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
   * @param entry the exit at which its holder accepts records that stay in flight.
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
   * Stores the changes. They are copied before this method returns. Resolves with the position after them, or with
   * undefined if the run has no store for state. Rejects again after it has rejected once: the changes are lost, so a
   * later checkpoint would have progress without the state that belongs to it.
   */
  async collect(): Promise<Json | undefined> {
    const { store, cannotResume } = this.parts;
    if (store === undefined) return undefined;
    if (this.failure !== undefined) throw this.failure.error;
    if (this.isBroken) {
      this.discard();
      return this.position ?? null;
    }
    try {
      const changes = this.changes();
      const first = changes.next();
      if (first.done !== true) this.position = await store.append(beginningWith(first.value, changes));
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'MILLRACE_UNCLONABLE') {
        this.failure = { error };
        throw error;
      }
      this.isBroken = true;
      cannotResume(error.message);
    }
    return this.position ?? null;
  }

  /**
   * What has changed. Each change is made when the store asks for it, so those of a large state are never all in
   * memory.
   */
  private *changes(): Generator<StateChange, undefined> {
    for (const space of this.spaces.values()) {
      const { name } = space;
      let number = 0;
      for (const [key, entry] of space.changes()) {
        const isLookedAt = number < CHECKED_FIRST || number % CHECKED_EACH === 0;
        number++;
        if (isLookedAt && entry !== undefined) assertStorable(name, entry[0]);
        yield { space: name, key, entry };
      }
    }
    return undefined;
  }

  /** Forgets the changes since the last checkpoint, in a run that makes no more checkpoints. */
  discard(): void {
    for (const space of this.spaces.values()) Array.from(space.changes());
  }

  /** Called once a checkpoint with this position is durable. */
  async checkpointed(position: Json | undefined): Promise<void> {
    if (position !== undefined && position !== null) await this.parts.store?.checkpointed?.(position);
  }

  async close(): Promise<void> {
    await this.parts.store?.close?.();
  }
}

/** Throws MILLRACE_UNCLONABLE for instances of classes, which would come back as plain objects. */
function assertStorable(space: string, value: unknown): void {
  const name = lostClass(value);
  if (name === undefined) return;
  throw new MillraceError(
    'MILLRACE_UNCLONABLE',
    `The state of '${space}' cannot be stored: it contains a ${name === '' ? 'class instance' : name}, which would come back as a plain object. Use plain data, or set \`durable\` to false`,
  );
}

function* beginningWith<T>(first: T, rest: Iterable<T>): Iterable<T> {
  yield first;
  yield* rest;
}
