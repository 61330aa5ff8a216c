/**
 * Folds records into one state per key. Aggregates use this code inline, in threads and in parts of files. Durable
 * states in threads have code of their own, `loaded-states.ts`.
 *
 * Guarantees: a key exists once its first record was added.
 */
import { FatalTaskError } from '../model/errors.js';
import type { ChunkResult, Ending } from './executor.js';
import type { AnyAggregate } from './load-export.js';
import { PROGRESS, type ChunkWork } from './running-workload.js';

/** An aggregate in the place that uses it. */
export interface Fold {
  readonly aggregate: AnyAggregate;
  /** Called with each new key before `init`. May throw to refuse it. */
  readonly beforeNew?: (key: unknown) => void;
  /** Called with each new key when it has its state. */
  readonly afterNew?: (key: unknown) => unknown;
}

/**
 * States by key: a `Map`, or one that notes which states have changed. `get` is called before `add`, which may change
 * the state in place, and then throw.
 */
export interface FoldedStates<Key, State> {
  readonly size: number;
  has(key: Key): boolean;
  get(key: Key): State | undefined;
  set(key: Key, state: State): unknown;
}

/** Adds a record to the state of its key. Throws what the aggregate throws. */
export function foldInto(states: FoldedStates<unknown, unknown>, record: unknown, fold: Fold): void {
  const { aggregate } = fold;
  const key = aggregate.key?.(record);
  let state = states.get(key);
  const isNew = state === undefined && !states.has(key);
  if (isNew) {
    fold.beforeNew?.(key);
    state = aggregate.init(key);
  }
  const added = aggregate.add(state, record);
  // A state that was changed in place needs no `set`, which saves one look-up per record.
  if (!isNew && added === state) return;
  states.set(key, added);
  if (isNew) fold.afterNew?.(key);
}

/** Folds the records of a chunk. A record for which `add` throws ends alone; a FatalTaskError is thrown again. */
export function foldChunk(
  { chunk: { records }, progress }: ChunkWork,
  add: (record: unknown, index: number) => void,
): Pick<ChunkResult, 'endings' | 'elapsedMs'> {
  const endings: Ending[] = [];
  const startedAtMs = performance.now();
  for (let i = 0; i < records.length; i++) {
    progress[PROGRESS.index] = i;
    try {
      add(records[i], i);
    } catch (error) {
      if (error instanceof FatalTaskError) throw error;
      endings.push({ index: i, member: 0, error });
    }
  }
  return { endings, elapsedMs: [performance.now() - startedAtMs] };
}

/** The error for one key too many. `where` is the place that the limit applies to, such as ' in one partition'. */
export function tooManyKeys(task: string, maxKeys: number, where = ''): FatalTaskError {
  return new FatalTaskError(
    'MILLRACE_AGGREGATE_OVERFLOW',
    `'${task}' holds ${maxKeys} keys${where}, the most allowed, and got another one. Raise \`maxKeys\`, or choose a coarser key`,
  );
}
