/**
 * Checkpoints in memory, for tests of what a run does when it is resumed.
 *
 * Promise: what is read has been through JSON, as it would be behind a file; once the next life has begun, what an
 * earlier one writes is refused, as behind any store.
 */
import type { Checkpoint, CheckpointStore } from '../model/checkpoint.js';
import { MillraceError } from '../model/errors.js';

/** The checkpoints of one run, over all of its lives. */
export interface MemoryCheckpoints {
  /** The last one that was written: what the next life goes on from. Undefined before the first. */
  readonly last: Checkpoint | undefined;
  /** How many were written. */
  readonly count: number;
  /** Begins the next life of the run; its store goes to `checkpoints` of `RunOptions`. */
  begin(): CheckpointStore;
}

/**
 * Keeps the checkpoints of one run as JSON text in memory, for tests of resuming. A store whose
 * successor has begun rejects `write` with MILLRACE_LOCKED.
 *
 * @example
 * const kept = memoryCheckpoints();
 * const first = MyFlow.run(config, { checkpoints: kept.begin() }); // … and is cancelled halfway
 * const second = MyFlow.run(config, { checkpoints: kept.begin(), ...(kept.last && { resumeFrom: kept.last }) });
 */
export function memoryCheckpoints(): MemoryCheckpoints {
  let text: string | undefined;
  let count = 0;
  let lives = 0;
  const last = (): Checkpoint | undefined => (text === undefined ? undefined : (JSON.parse(text) as Checkpoint));
  return {
    get last() {
      return last();
    },
    get count() {
      return count;
    },
    begin: () => {
      const incarnation = ++lives;
      return {
        incarnation,
        read: () => Promise.resolve(last()),
        write: (checkpoint) => {
          if (incarnation < lives) {
            const error = new MillraceError(
              'MILLRACE_LOCKED',
              `Life ${lives} goes on with run ${checkpoint.runId}: life ${incarnation} stops, and writes nothing more`,
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
