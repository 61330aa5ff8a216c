/**
 * Checkpoints in memory, for tests that resume a run.
 *
 * Guarantees: a checkpoint is stored as JSON text, as in a file; after the next incarnation has begun, the store refuses
 * writes of earlier incarnations, like every other store.
 */
import type { Checkpoint, CheckpointStore } from '../model/checkpoint.js';
import { MillraceError } from '../model/errors.js';

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
