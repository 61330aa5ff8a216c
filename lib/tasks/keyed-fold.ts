/**
 * Folds an aggregate with durable state, in the threads that own the keys. This thread holds the states as of the last
 * completed round, which are those after a prefix of the input (see `KeyedRounds`). So checkpoints, results and resumed
 * runs are the same as those of a fold in this thread.
 */
import type { Subscriber } from 'rxjs';
import { checkKey } from '../execution/partition-key.js';
import type { ModuleRef } from '../execution/executor.js';
import { partitionOfKey } from '../stream/key-partition.js';
import { ENDED, KeyedRounds, type FinishedRound } from '../stream/keyed-rounds.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Groups } from './groups.js';

export interface KeyedFoldOptions<In, Key, State> {
  readonly ref: ModuleRef;
  readonly timeoutMs: number | undefined;
  /** Checks a record before it is sent. A throw ends the record. */
  readonly before: (record: In) => In;
  readonly key: ((record: In) => Key) | undefined;
  readonly partitionBy: 'key' | ((record: In) => string);
  readonly groups: Groups<In, Key, State, unknown>;
  /** Called once, when everything is folded. */
  readonly onOver: () => void;
}

/** A key that was used in this incarnation. Its place is its index among them. */
interface Owned<Key> {
  readonly key: Key;
  readonly place: number;
  readonly partition: number;
}

/** Errors of the executor go to the subscriber. */
export function foldKeyed<In, Key, State>(
  options: KeyedFoldOptions<In, Key, State>,
  scope: TaskScope,
  subscriber: Subscriber<never>,
): KeyedRounds<undefined> {
  const { ref, timeoutMs, before, key: keyOf, partitionBy, groups, onOver } = options;
  const partitions = scope.executor.size;
  const owned: Owned<Key>[] = [];
  const byKey = new Map<Key, Owned<Key>>();
  const ownerOf = (key: Key, record: In): Owned<Key> => {
    const partition = partitionOfKey(partitionBy === 'key' ? key : partitionBy(record), partitions);
    const made = { key, place: owned.length, partition };
    owned.push(made);
    byKey.set(key, made);
    return made;
  };
  const accept = ({ places, outputs, states }: FinishedRound<undefined>): void => {
    // Results come in the order of the first record of each key. Records that failed do not count.
    const added = places.filter((_, i) => outputs[i] !== ENDED);
    for (const place of new Set([...added, ...states.keys()])) {
      if (states.has(place)) groups.put((owned[place] as Owned<Key>).key, states.get(place) as State);
    }
  };
  return new KeyedRounds<undefined>(
    {
      workload: { ref, as: 'aggregate', seed: 0, timeoutMs },
      partitions,
      begin: () => undefined,
      place: (value) => {
        const record = before(value as In);
        const key = keyOf === undefined ? (undefined as Key) : checkKey(keyOf(record), 'key', scope.task);
        const known = byKey.get(key);
        if (known !== undefined) return { ...known, record };
        return { ...ownerOf(key, record), record, seed: groups.stateOf(key) };
      },
      *statesOf(partition) {
        for (const { key, place, partition: owner } of owned) {
          const state = owner === partition ? groups.stateOf(key) : undefined;
          if (state !== undefined) yield [place, state[0]];
        }
      },
      accept,
      onOver,
    },
    scope,
    subscriber,
  );
}
