/**
 * Checkpoints in memory, for tests that resume a run.
 *
 * Guarantees: a checkpoint is stored as JSON text, as in a file; after the next incarnation has begun, the store
 * refuses writes of earlier incarnations, like every other store.
 */
import type { Checkpoint, CheckpointStore } from '../model/checkpoint.js';
import { MillraceError, describeThrown } from '../model/errors.js';
import type { StateChange, StateEntries, StateStore } from '../model/state.js';

/** The checkpoints of one run, over all of its incarnations. */
export interface MemoryCheckpoints {
  /** The last checkpoint, from which the next incarnation continues. Undefined before the first checkpoint. */
  readonly last: Checkpoint | undefined;
  /** The number of checkpoints written. */
  readonly count: number;
  /** Begins the next incarnation of the run. Pass the store as `checkpoints` of `RunOptions`. */
  begin(): CheckpointStore;
}

/**
 * Keeps the checkpoints of one run as JSON text in memory, for tests that resume a run. After the next incarnation has
 * begun, the store of an earlier one rejects `write` with MILLRACE_LOCKED.
 *
 * @example
 * const kept = memoryCheckpoints();
 * const first = MyFlow.run(config, { checkpoints: kept.begin() }); // … cancel this run halfway
 * const second = MyFlow.run(config, { checkpoints: kept.begin(), ...(kept.last && { resumeFrom: kept.last }) });
 */
export function memoryCheckpoints(): MemoryCheckpoints {
  let text: string | undefined;
  let count = 0;
  let incarnations = 0;
  const versions: Version[] = [];
  const last = (): Checkpoint | undefined => (text === undefined ? undefined : (JSON.parse(text) as Checkpoint));
  return {
    get last() {
      return last();
    },
    get count() {
      return count;
    },
    begin: () => {
      const incarnation = ++incarnations;
      return {
        incarnation,
        state: stateIn(versions),
        read: () => Promise.resolve(last()),
        write: (checkpoint) => {
          if (incarnation < incarnations) {
            const error = new MillraceError(
              'MILLRACE_LOCKED',
              `Incarnation ${incarnations} continues run ${checkpoint.runId}: incarnation ${incarnation} must stop and writes nothing more`,
            );
            return Promise.reject(error);
          }
          text = JSON.stringify(checkpoint);
          count++;
          return Promise.resolve();
        },
      };
    },
  };
}

/** The changes of one checkpoint, and the version that they were made to. */
interface Version {
  readonly before: number;
  readonly changes: readonly StateChange[];
}

/** The state as versions, each made from the version before it. Position 0 is empty. */
function stateIn(versions: Version[]): StateStore {
  let present = 0;
  return {
    append: (changes) => {
      try {
        versions.push({ before: present, changes: Array.from(changes, copied) });
      } catch (error) {
        return Promise.reject(error);
      }
      present = versions.length;
      return Promise.resolve(present);
    },
    restore: (position) => {
      present = position as number;
      const history: Version[] = [];
      for (let at = present; at > 0;) {
        const version = versions[at - 1] as Version;
        history.push(version);
        at = version.before;
      }
      const spaces = new Map<string, Map<string, unknown>>();
      for (const { changes } of history.reverse()) for (const change of changes) apply(spaces, change);
      return Promise.resolve(spaces as ReadonlyMap<string, StateEntries>);
    },
  };
}

function copied({ space, key, entry }: StateChange): StateChange {
  try {
    return { space, key, entry: structuredClone(entry) };
  } catch (error) {
    const message = `The state of '${space}' cannot be stored: ${describeThrown(error)}. Use plain data, or set \`durable\` to false`;
    throw new MillraceError('MILLRACE_UNCLONABLE', message, { cause: error });
  }
}

function apply(spaces: Map<string, Map<string, unknown>>, { space, key, entry }: StateChange): void {
  const entries = spaces.get(space) ?? new Map<string, unknown>();
  spaces.set(space, entries);
  if (entry === undefined) entries.delete(key);
  else entries.set(key, structuredClone(entry[0]));
}
