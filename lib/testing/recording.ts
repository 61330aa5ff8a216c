/** Ends of a workflow that keep what reaches them, for a test to look at. */
import type { DeadLetter, DeadLetterStore, RunOutcome } from '../core/ports.js';
import { sinkTask, type SinkOptions } from '../tasks/sink-task.js';
import type { Task } from '../tasks/task.js';

/** A sink that keeps its records, in root order unless told otherwise, and how its run ended. */
export interface RecordingSink<T> {
  readonly task: Task<T, T>;
  readonly records: readonly T[];
  readonly outcome: RunOutcome | undefined;
}

export function recordingSink<T>(options: SinkOptions<T> = {}): RecordingSink<T> {
  const records: T[] = [];
  let outcome: RunOutcome | undefined;
  const task = sinkTask<T>(
    {
      write: (run) => {
        records.push(...run);
      },
      close: (ended) => {
        outcome = ended;
      },
    },
    options,
  );
  return {
    task,
    records,
    get outcome() {
      return outcome;
    },
  };
}

/** A store that keeps its letters; `isFull` can be set, and is told to the run when it goes back to false. */
export interface RecordingDeadLetters extends DeadLetterStore {
  readonly letters: readonly DeadLetter[];
  isFull: boolean;
  readonly isClosed: boolean;
}

export function recordingDeadLetters(): RecordingDeadLetters {
  const letters: DeadLetter[] = [];
  const ready: (() => void)[] = [];
  let isFull = false;
  let isClosed = false;
  return {
    letters,
    get isFull() {
      return isFull;
    },
    set isFull(full) {
      isFull = full;
      if (!full) for (const listener of ready) listener();
    },
    get isClosed() {
      return isClosed;
    },
    write: (letter) => {
      letters.push(letter);
    },
    whenReady: (listener) => {
      ready.push(listener);
    },
    whenBroken: () => undefined,
    close: () => {
      isClosed = true;
      return Promise.resolve();
    },
  };
}
