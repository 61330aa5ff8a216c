/**
 * The states of the keys of one `statefulTask`: the keys in use, their eviction, and their part of a checkpoint.
 *
 * Guarantees: a record uses its key when its work begins, whether or not the step succeeds. So only the order of the
 * records and the clock decide about evictions, which are the same inline, in threads and in a resumed run. Only
 * committed states are in a checkpoint.
 */
import { FatalTaskError } from '../model/errors.js';
import type { Change, StateHolder } from '../stream/state-space.js';
import type { TaskScope } from '../stream/task-scope.js';
import { DEFAULT_MAX_KEYS } from './task-options.js';

/** One key. */
export interface KeyState<Key, State> {
  readonly key: Key;
  /** Names the key in the store and in threads. A key that comes back after its eviction has another place. */
  readonly place: number;
  /** The time of the last record of the key, in milliseconds since 1970. */
  usedAt: number;
  /** The number of that record among all records of the task, in all incarnations. */
  use: number;
  /** Whether a record was processed; before the first one there is no state. */
  hasState: boolean;
  state: State | undefined;
}

/** The last use of a key, as a checkpoint contains it. */
export type LastUse = Pick<KeyState<unknown, unknown>, 'usedAt' | 'use'>;

/** The form in which a key is stored. The last item is present if the key has no state. */
type Stored<Key, State> = readonly [key: Key, state: State | undefined, usedAt: number, use: number, hasState?: false];

export interface KeyLimits {
  readonly maxKeys?: number | undefined;
  readonly ttlMs?: number | undefined;
}

export class KeyedStates<Key, State> implements StateHolder {
  private readonly scope: TaskScope;
  private readonly limits: KeyLimits;
  private readonly onEvicted: (evicted: KeyState<Key, State>) => void;
  private readonly isLimited: boolean;
  /** With a limit, the key that was used longest ago comes first. */
  private readonly keys = new Map<Key, KeyState<Key, State>>();
  /**
   * The keys whose entries in the store are out of date, with their last uses; undefined for a key that was dropped.
   */
  private readonly changed = new Map<KeyState<Key, State>, LastUse | undefined>();
  private readonly stored = new Set<number>();
  private nextPlace = 0;
  /** The number of records in all incarnations. */
  private uses = 0;
  private evicted = 0;

  /** @param onEvicted called for each key that is no longer in use. Its owner drops the state when it may. */
  constructor(scope: TaskScope, limits: KeyLimits, onEvicted: (evicted: KeyState<Key, State>) => void) {
    this.scope = scope;
    this.limits = limits;
    this.onEvicted = onEvicted;
    this.isLimited = limits.maxKeys !== undefined || limits.ttlMs !== undefined;
    this.restore();
  }

  /**
   * The key of a record whose work begins now. Evicts the keys that have expired, and the key used longest ago if there
   * is no room.
   */
  use(key: Key): KeyState<Key, State> {
    const now = this.isLimited ? this.scope.clock.now() : 0;
    if (this.isLimited) this.evictExpired(now);
    const found = this.keys.get(key);
    const use = this.uses++;
    if (found === undefined) {
      this.makeRoom();
      const made = { key, place: this.nextPlace++, usedAt: now, use, hasState: false, state: undefined };
      this.keys.set(key, made);
      return made;
    }
    found.use = use;
    if (!this.isLimited) return found;
    found.usedAt = now;
    this.keys.delete(key);
    this.keys.set(key, found);
    return found;
  }

  /**
   * Adds the key to the next checkpoint, with its state at the time of that checkpoint, and with this last use.
   * Default: its last use at that time.
   */
  commit(key: KeyState<Key, State>, lastUse: LastUse = key): void {
    if (this.scope.state !== undefined) this.changed.set(key, lastUse);
  }

  /** Removes the state of an evicted key from the next checkpoint. */
  drop(key: KeyState<Key, State>): void {
    key.hasState = false;
    key.state = undefined;
    // A key that was added and dropped between two checkpoints is not remembered.
    if (this.stored.has(key.place)) this.changed.set(key, undefined);
    else this.changed.delete(key);
  }

  *changes(): Iterable<Change> {
    for (const [key, lastUse] of this.changed) {
      const { place } = key;
      if (lastUse !== undefined) {
        this.stored.add(place);
        yield [String(place), [storedForm(key, lastUse)]];
      } else if (this.stored.delete(place)) yield [String(place), undefined];
    }
    this.changed.clear();
  }

  /** Emits the final notice about evicted keys. */
  reportEvicted(): void {
    if (this.evicted > 0) this.scope.notice(`'${this.scope.task}' has evicted the states of ${this.evicted} keys`);
    this.evicted = 0;
  }

  private restore(): void {
    const { state: space } = this.scope;
    if (space === undefined) return;
    const restored = [...space.restored]
      .filter(([place]) => /^\d+$/.test(place))
      .map(([place, entry]) => [Number(place), entry as Stored<Key, State>] as const);
    // The key that was used longest ago comes first.
    restored.sort(([, [, , , a]], [, [, , , b]]) => a - b);
    for (const [place, [key, state, usedAt, use, hasState = true]] of restored) {
      this.keys.set(key, { key, place, usedAt, use, hasState, state });
      this.stored.add(place);
      this.nextPlace = Math.max(this.nextPlace, place + 1);
      this.uses = use + 1;
    }
  }

  private makeRoom(): void {
    const { maxKeys = DEFAULT_MAX_KEYS } = this.limits;
    if (this.keys.size < maxKeys) return;
    if (this.limits.maxKeys === undefined) {
      throw new FatalTaskError(
        'MILLRACE_AGGREGATE_OVERFLOW',
        `'${this.scope.task}' holds ${maxKeys} keys, the most allowed, and got another one. Set \`maxKeys\` or \`ttlMs\` to evict keys, or choose a coarser key`,
      );
    }
    const [oldest] = this.keys.values();
    this.evict(oldest as KeyState<Key, State>, `more than \`maxKeys\` (${maxKeys}) keys were in use`);
  }

  private evictExpired(now: number): void {
    const { ttlMs } = this.limits;
    if (ttlMs === undefined) return;
    for (const key of this.keys.values()) {
      if (key.usedAt + ttlMs > now) return;
      this.evict(key, `it received no record for \`ttlMs\` (${ttlMs} ms)`);
    }
  }

  private evict(key: KeyState<Key, State>, why: string): void {
    this.keys.delete(key.key);
    if (++this.evicted === 1) {
      this.scope.notice(`'${this.scope.task}' evicts the states of keys, the first one because ${why}`);
    }
    this.onEvicted(key);
  }
}

function storedForm<Key, State>(
  { key, state, hasState }: KeyState<Key, State>,
  { usedAt, use }: LastUse,
): Stored<Key, State> {
  return hasState ? [key, state, usedAt, use] : [key, undefined, usedAt, use, false];
}
