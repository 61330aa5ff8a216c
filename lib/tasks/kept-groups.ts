/**
 * The groups of an aggregate whose state is kept: one state per key, in the order in which the keys first appeared, and
 * what has changed since the last checkpoint.
 *
 * Guarantees: a checkpoint contains each group that was changed since the one before, once. Groups are numbered in
 * their order and released in it, so one number in the store records all groups that were released.
 */
import type { FoldedStates } from '../execution/fold.js';
import type { Change, StateHolder, StateSpace } from '../stream/state-space.js';

/** The key under which the state records the groups whose results were made. */
const RELEASED = 'released';

/**
 * Arrays by the index of a group in place of an object per group: a million objects would cost more time of the garbage
 * collector than all checkpoints.
 */
export class KeptGroups<Key, State> implements StateHolder, FoldedStates<Key, State> {
  /** The number of the group at index 0. */
  private readonly first: number;
  private readonly indexes = new Map<Key, number>();
  private keys: (Key | undefined)[] = [];
  private states: (State | undefined)[] = [];
  /** By index: whether the group was changed since the last checkpoint. */
  private readonly isChanged: boolean[] = [];
  /** The indexes of the groups that were changed since the last checkpoint. */
  private changed: number[] = [];
  /** Groups below this index were released. */
  private released = 0;
  private storedReleased = 0;

  /** Continues with the groups that an earlier incarnation left. */
  constructor(space: StateSpace) {
    const { restored } = space;
    this.first = (restored.get(RELEASED) as number | undefined) ?? 0;
    const places = [...restored.keys()].filter((key) => key !== RELEASED).map(Number);
    for (const place of places.sort((a, b) => a - b)) {
      if (place >= this.first) this.add(...(restored.get(String(place)) as [Key, State]));
    }
    space.setHolder(this);
    space.consumed();
  }

  /** The number of groups at hand. */
  get size(): number {
    return this.keys.length - this.released;
  }

  has(key: Key): boolean {
    return this.indexes.has(key);
  }

  /** The state of a key that may be changed in place: the next checkpoint contains it. */
  get(key: Key): State | undefined {
    const index = this.indexes.get(key);
    if (index === undefined) return undefined;
    this.note(index);
    return this.states[index];
  }

  /** The state of a key that is only read. */
  peek(key: Key): State | undefined {
    const index = this.indexes.get(key);
    return index === undefined ? undefined : this.states[index];
  }

  set(key: Key, state: State): void {
    const known = this.indexes.get(key);
    if (known !== undefined) this.states[known] = state;
    this.note(known ?? this.add(key, state));
  }

  /** The next group in their order, which is released by this; undefined if there is none. No group is added later. */
  release(): readonly [Key, State] | undefined {
    const index = this.released;
    if (index === this.keys.length) return undefined;
    if (index === 0) this.indexes.clear();
    const [key, state] = [this.keys[index], this.states[index]];
    this.keys[index] = this.states[index] = undefined;
    this.released++;
    return [key as Key, state as State];
  }

  *changes(): Iterable<Change> {
    const { changed, first, released } = this;
    this.changed = [];
    for (const index of changed) {
      this.isChanged[index] = false;
      if (index >= released) yield [String(first + index), [[this.keys[index], this.states[index]]]];
    }
    if (released === this.storedReleased) return;
    this.storedReleased = released;
    yield [RELEASED, [first + released]];
  }

  /** Returns the index of the new group. */
  private add(key: Key, state: State): number {
    const index = this.keys.length;
    this.indexes.set(key, index);
    this.keys.push(key);
    this.states.push(state);
    this.isChanged.push(false);
    return index;
  }

  private note(index: number): void {
    if (this.isChanged[index] === true) return;
    this.isChanged[index] = true;
    this.changed.push(index);
  }
}
