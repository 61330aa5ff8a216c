/**
 * The groups of an aggregate: one state per key, in the order in which the keys first appeared.
 *
 * Guarantees: there are never more than `maxKeys` groups. Each state is released when its result is made.
 */
import { FatalTaskError, describeThrown } from '../model/errors.js';
import { Rejected, type Skip } from '../model/record.js';
import type { Reader } from '../stream/reader.js';
import type { Aggregate } from './aggregate.js';

/** The number of groups that are finished before the credits are checked again. */
const FINISH_CHUNK = 256;

export class Groups<In, Key, State, Out> {
  private readonly aggregate: Aggregate<In, Key, State, Out>;
  private readonly maxKeys: number;
  private readonly task: string;
  private readonly states = new Map<Key, State>();

  constructor(aggregate: Aggregate<In, Key, State, Out>, maxKeys: number, task: string) {
    this.aggregate = aggregate;
    this.maxKeys = maxKeys;
    this.task = task;
  }

  add(record: In): void {
    const { aggregate, states } = this;
    const key = aggregate.key === undefined ? (undefined as Key) : aggregate.key(record);
    let state = states.get(key);
    const isNew = state === undefined && !states.has(key);
    if (isNew) {
      this.checkRoom();
      state = aggregate.init(key);
    }
    const added = aggregate.add(state as State, record);
    // A state that was changed in place needs no `set`, which saves one look-up per record.
    if (isNew || added !== state) states.set(key, added);
  }

  /** Adds a partial state of later records. */
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
      // The error belongs to no single record, and without this part the result would be wrong.
      throw new FatalTaskError('MILLRACE_TASK', `\`merge\` of '${this.task}' failed: ${describeThrown(error)}`, {
        cause: error,
      });
    }
  }

  /** All keys with their states, up to `max` at a time. The groups do not keep the states that they have returned. */
  *takeStates(max: number): Generator<[Key, State][]> {
    let taken: [Key, State][] = [];
    // One iterator for all: a new iterator would walk over all deleted entries again.
    for (const entry of this.states) {
      taken.push(entry);
      this.states.delete(entry[0]);
      if (taken.length < max) continue;
      yield taken;
      taken = [];
    }
    if (taken.length > 0) yield taken;
  }

  clear(): void {
    this.states.clear();
  }

  /** The results. `check` is called with each result before it is emitted. */
  results(check: (result: Out | Skip) => Out | Skip): Reader<Out | Skip | Rejected> {
    const { states, aggregate } = this;
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
          try {
            finished.push(check(aggregate.finish(state, key)));
          } catch (error) {
            finished.push(new Rejected({ key, state }, error));
          }
        }
        return finished.length > 0 ? finished : null;
      },
      close: () => {
        states.clear();
      },
    };
  }

  private checkRoom(): void {
    if (this.states.size < this.maxKeys) return;
    throw new FatalTaskError(
      'MILLRACE_AGGREGATE_OVERFLOW',
      `'${this.task}' holds ${this.maxKeys} keys, the most allowed, and got another one. Raise \`maxKeys\`, or choose a coarser key`,
    );
  }
}
