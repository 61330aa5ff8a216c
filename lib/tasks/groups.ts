/**
 * The groups of an aggregate: one state per key, in the order in which the keys first appeared.
 *
 * Guarantees: there are never more than `maxKeys` groups. Each state is released when its result is made. If the state
 * is kept, a checkpoint contains each group that was changed since the checkpoint before.
 */
import { FatalTaskError, describeThrown } from '../model/errors.js';
import { finish, foldInto, tooManyKeys, type Fold } from '../execution/fold.js';
import type { AnyAggregate } from '../execution/load-export.js';
import { refusePromise } from '../execution/refuse-promise.js';
import { Rejected, type Skip } from '../model/record.js';
import { KeptEntries } from '../stream/kept-entries.js';
import type { Reader } from '../stream/reader.js';
import type { Change, StateHolder, StateSpace } from '../stream/state-space.js';
import type { Aggregate } from './aggregate.js';

/** The number of groups that are finished before the credits are checked again. */
const FINISH_CHUNK = 256;

/** The groups of a part, or of a whole input: it returns states or results. */
export class Groups<In, Key, State, Out> {
  private readonly aggregate: Aggregate<In, Key, State, Out>;
  private readonly maxKeys: number;
  private readonly task: string;
  private readonly states = new Map<Key, State>();
  private readonly fold: Fold;
  /** Set if the state is kept. */
  private kept: KeptGroups<Key, State> | undefined;

  constructor(aggregate: Aggregate<In, Key, State, Out>, maxKeys: number, task: string) {
    this.aggregate = aggregate;
    this.maxKeys = maxKeys;
    this.task = task;
    this.fold = {
      aggregate: aggregate as unknown as AnyAggregate,
      task,
      beforeNew: () => {
        this.checkRoom();
      },
      beforeChange: (key) => this.kept?.entries.changed(key as Key),
      // After the first record, so that places are in the order of `states`.
      afterNew: (key) => this.kept?.entries.changed(key as Key),
    };
  }

  /** Continues with the groups that an earlier incarnation left, and keeps the changes. */
  keepIn(space: StateSpace): void {
    this.kept = new KeptGroups(space, this.states);
  }

  /**
   * Adds a record to its group. Throws the errors of the aggregate, MILLRACE_AGGREGATE_OVERFLOW for one key too many,
   * and MILLRACE_INVALID_OPTION for a promise.
   */
  add(record: In): void {
    foldInto(this.states, record, this.fold);
  }

  /** The state of a key, in an array of one item; undefined if there is none. */
  stateOf(key: Key): readonly [State] | undefined {
    return this.states.has(key) ? [this.states.get(key) as State] : undefined;
  }

  /** Sets the state of a key. Throws MILLRACE_AGGREGATE_OVERFLOW for one key too many. */
  put(key: Key, state: State): void {
    if (!this.states.has(key)) this.checkRoom();
    this.states.set(key, state);
    this.kept?.entries.changed(key);
  }

  /**
   * Adds a partial state of later records. Throws MILLRACE_AGGREGATE_OVERFLOW for one key too many, and MILLRACE_TASK
   * if `merge` fails.
   */
  merge(key: Key, right: State): void {
    const { aggregate, states } = this;
    const left = states.get(key);
    if (left === undefined && !states.has(key)) {
      this.checkRoom();
      states.set(key, right);
      this.kept?.entries.changed(key);
      return;
    }
    this.kept?.entries.changed(key);
    try {
      const merged = (aggregate.merge as (left: State, right: State) => State)(left as State, right);
      refusePromise(merged, `\`merge\` of '${this.task}'`);
      if (merged !== left) states.set(key, merged);
    } catch (error) {
      if (error instanceof FatalTaskError) throw error;
      // The error belongs to no single record, and without this part the result would be wrong.
      throw new FatalTaskError('MILLRACE_TASK', `\`merge\` of '${this.task}' failed: ${describeThrown(error)}`, {
        cause: error,
      });
    }
  }

  /** Returns all keys with their states, up to `max` at a time, and releases the states. */
  *releaseStates(max: number): Generator<[Key, State][]> {
    let released: [Key, State][] = [];
    // One iterator for all: a new iterator would walk over all deleted entries again.
    for (const entry of this.states) {
      released.push(entry);
      this.states.delete(entry[0]);
      if (released.length < max) continue;
      yield released;
      released = [];
    }
    if (released.length > 0) yield released;
  }

  /** Forgets all groups. */
  clear(): void {
    this.states.clear();
  }

  /**
   * The results. `check` is called with each result before it is emitted, and `onResult` with its key.
   */
  results(check: (result: Out | Skip) => Out | Skip, onResult?: (key: Key) => void): Reader<Out | Skip | Rejected> {
    const { states, fold } = this;
    const entries = states.entries();
    return {
      read: (max) => {
        const finished: (Out | Skip | Rejected)[] = [];
        while (finished.length < Math.min(max, FINISH_CHUNK)) {
          const step = entries.next();
          if (step.done === true) break;
          const [key, state] = step.value;
          // Each state is released when its result is made, so the peak of memory is the states, not the states and the
          // results.
          states.delete(key);
          this.kept?.released(key);
          onResult?.(key);
          try {
            finished.push(check(finish(fold, key, state) as Out | Skip));
          } catch (error) {
            if (error instanceof FatalTaskError) throw error;
            finished.push(new Rejected({ key, state }, error));
          }
        }
        return finished.length > 0 ? finished : null;
      },
      close: () => {
        // The last checkpoint of a run that drains still contains the groups whose results were not made.
        if (this.kept === undefined) states.clear();
      },
    };
  }

  private checkRoom(): void {
    if (this.states.size < this.maxKeys) return;
    throw tooManyKeys(this.task, this.maxKeys);
  }
}

/** The key under which the state records the groups whose results were made. */
const RELEASED = 'released';

/**
 * The durable form of groups: per group, its place, its key and its state. Results are made in the order of the places,
 * so one number records all groups that were released.
 */
class KeptGroups<Key, State> implements StateHolder {
  readonly entries: KeptEntries<Key>;
  private next = 0;
  /** Groups below this place were released. */
  private done = 0;
  private storedDone = 0;

  constructor(space: StateSpace, states: Map<Key, State>) {
    this.entries = new KeptEntries(
      (key) => (states.has(key) ? [[key, states.get(key)]] : undefined),
      () => this.next++,
    );
    const { restored } = space;
    this.done = this.storedDone = (restored.get(RELEASED) as number | undefined) ?? 0;
    const places = [...restored.keys()].filter((key) => key !== RELEASED).map(Number);
    for (const place of places.sort((a, b) => a - b)) {
      this.next = place + 1;
      if (place < this.done) continue;
      const [key, state] = restored.get(String(place)) as [Key, State];
      states.set(key, state);
      this.entries.restored(key, place);
    }
    space.heldBy(this);
    space.consumed();
  }

  /** Called when the result of the group is made. */
  released(key: Key): void {
    const place = this.entries.leave(key);
    if (place !== undefined) this.done = Number(place) + 1;
  }

  *changes(): Iterable<Change> {
    yield* this.entries.changes();
    if (this.done === this.storedDone) return;
    this.storedDone = this.done;
    yield [RELEASED, [this.done]];
  }
}
