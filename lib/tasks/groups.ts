/**
 * The groups of an aggregate: one state per key, in the order in which the keys first appeared.
 *
 * Guarantees: there are never more than `maxKeys` groups. Each state is released when its result is made. If the state
 * is kept, a checkpoint contains each group that was changed since the checkpoint before.
 */
import { FatalTaskError, describeThrown } from '../model/errors.js';
import { foldInto, tooManyKeys, type Fold, type FoldedStates } from '../execution/fold.js';
import type { AnyAggregate } from '../execution/load-export.js';
import { checkedFunctions } from '../execution/checked-functions.js';
import { Rejected, type Skip } from '../model/record.js';
import type { Reader } from '../stream/reader.js';
import type { StateSpace } from '../stream/state-space.js';
import type { Aggregate } from './aggregate.js';
import { KeptGroups } from './kept-groups.js';

/** The number of groups that are finished before the credits are checked again. */
const FINISH_CHUNK = 256;

/** The groups of a part, or of a whole input: it returns states or results. */
export class Groups<In, Key, State, Out> {
  private readonly aggregate: Aggregate<In, Key, State, Out>;
  private readonly maxKeys: number;
  private readonly task: string;
  private readonly plain = new Map<Key, State>();
  private readonly fold: Fold;
  /** Has the states, if they are kept. */
  private kept: KeptGroups<Key, State> | undefined;
  private states: FoldedStates<Key, State> = this.plain;

  constructor(aggregate: Aggregate<In, Key, State, Out>, maxKeys: number, task: string) {
    this.aggregate = checkedFunctions(aggregate, task);
    this.maxKeys = maxKeys;
    this.task = task;
    this.fold = {
      aggregate: this.aggregate as unknown as AnyAggregate,
      beforeNew: () => {
        this.checkRoom();
      },
    };
  }

  /** Continues with the groups that an earlier incarnation left, and keeps the changes. */
  keepIn(space: StateSpace): void {
    this.states = this.kept = new KeptGroups(space);
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
    if (!this.states.has(key)) return undefined;
    return [(this.kept === undefined ? this.plain.get(key) : this.kept.peek(key)) as State];
  }

  /** Sets the state of a key. Throws MILLRACE_AGGREGATE_OVERFLOW for one key too many. */
  put(key: Key, state: State): void {
    if (!this.states.has(key)) this.checkRoom();
    this.states.set(key, state);
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
      return;
    }
    try {
      const merged = (aggregate.merge as (left: State, right: State) => State)(left as State, right);
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
    for (const entry of this.plain) {
      released.push(entry);
      this.plain.delete(entry[0]);
      if (released.length < max) continue;
      yield released;
      released = [];
    }
    if (released.length > 0) yield released;
  }

  /** Forgets all groups. */
  clear(): void {
    this.plain.clear();
  }

  /**
   * The results. `check` is called with each result before it is emitted, and `onResult` with its key.
   */
  results(check: (result: Out | Skip) => Out | Skip, onResult?: (key: Key) => void): Reader<Out | Skip | Rejected> {
    const { aggregate } = this;
    const next = this.kept === undefined ? emptying(this.plain) : this.kept.release.bind(this.kept);
    return {
      read: (max) => {
        const finished: (Out | Skip | Rejected)[] = [];
        while (finished.length < Math.min(max, FINISH_CHUNK)) {
          // Each state is released when its result is made, so the peak of memory is the states, not the states and the
          // results.
          const entry = next();
          if (entry === undefined) break;
          const [key, state] = entry;
          onResult?.(key);
          try {
            finished.push(check(aggregate.finish(state, key)));
          } catch (error) {
            if (error instanceof FatalTaskError) throw error;
            finished.push(new Rejected({ key, state }, error));
          }
        }
        return finished.length > 0 ? finished : null;
      },
      close: () => {
        // The last checkpoint of a run that drains still contains the groups whose results were not made.
        this.plain.clear();
      },
    };
  }

  private checkRoom(): void {
    if (this.states.size < this.maxKeys) return;
    throw tooManyKeys(this.task, this.maxKeys);
  }
}

/** A function that removes and returns the next entry of a map; undefined if there is none. */
function emptying<Key, State>(states: Map<Key, State>): () => readonly [Key, State] | undefined {
  // One iterator for all: a new iterator would walk over all deleted entries again.
  const entries = states.entries();
  return () => {
    const step = entries.next();
    if (step.done === true) return undefined;
    states.delete(step.value[0]);
    return step.value;
  };
}
