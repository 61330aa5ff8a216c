/** The functions that fold many records into one result per key. */
import type { Skip } from '../model/record.js';

/** The functions of an aggregate. `add` and `merge` may change `State` in place, and return it. */
export interface Aggregate<In, Key, State, Out> {
  /** The key of a record. Default: all records are one group, with the key `undefined`. */
  readonly key?: (record: In) => Key;
  /** The state of a key before its first record. */
  readonly init: (key: Key) => State;
  /** Adds one record to a state. Records come in input order if one thread folds them all. */
  readonly add: (state: State, record: In) => State;
  /** Merges two states of one key. `left` contains the earlier records. */
  readonly merge?: (left: State, right: State) => State;
  /** The result of one key, or `skip(reason)`. */
  readonly finish: (state: State, key: Key) => Out | Skip;
}
