/** A sink and a dead-letter store that keep their input in memory, so that a test can check it. */
import type { DeadLetter, DeadLetterStore, RunOutcome } from '../model/ports.js';
import { sinkTask, type SinkOptions } from '../tasks/sink-task.js';
import type { Task } from '../tasks/task.js';

/** A sink that keeps its records, in root order by default, and the outcome of its run. */
export interface RecordingSink<T> {
  /** Put it into the workflow under test. */
  readonly task: Task<T, T>;
  /** The records so far. It is always the same array. */
  readonly records: readonly T[];
  /** The outcome of the run; undefined before the end. */
  readonly outcome: RunOutcome | undefined;
}

/** Makes a sink that keeps its records in an unbounded array. Throws MILLRACE_INVALID_OPTION for invalid options. */
export function recordingSink<T>(options: SinkOptions<T> = {}): RecordingSink<T> {
  const records: T[] = [];
  let outcome: RunOutcome | undefined;
  const task = sinkTask<T>(
    {
      write: (rows) => {
        records.push(...rows);
      },
      close: (runOutcome) => {
        outcome = runOutcome;
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

/** A store that keeps its letters. A test can set `isFull`; the run is notified when it becomes false again. */
export interface RecordingDeadLetters extends DeadLetterStore {
  /** The dead letters so far. It is always the same array. */
  readonly letters: readonly DeadLetter[];
  /** Set it to true to hold the sources back. They continue when it is false again. */
  isFull: boolean;
  /** Whether the run has closed the store. */
  readonly isClosed: boolean;
}

/** Makes a store that keeps letters in memory, for `deadLetters` of `RunOptions`. Its letters are not durable. */
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
