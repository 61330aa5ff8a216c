/** Ends of a workflow that keep what reaches them, for a test to look at. */
import type { DeadLetter, DeadLetterStore, RunOutcome } from '../model/ports.js';
import { sinkTask, type SinkOptions } from '../tasks/sink-task.js';
import type { Task } from '../tasks/task.js';

/** A sink that keeps its records, in root order unless told otherwise, and how its run ended. */
export interface RecordingSink<T> {
  /** Put it into the workflow under test. */
  readonly task: Task<T, T>;
  /** What was written so far; the same array all the time. */
  readonly records: readonly T[];
  /** How its run ended; undefined before the end. */
  readonly outcome: RunOutcome | undefined;
}

/** A sink that keeps its records in an array without bound. Throws MILLRACE_INVALID_OPTION for options that do not fit. */
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
  /** What was given up so far; the same array all the time. */
  readonly letters: readonly DeadLetter[];
  /** Set it to hold the sources back; they go on when it is false again. */
  isFull: boolean;
  /** Whether the run has closed the store. */
  readonly isClosed: boolean;
}

/**
 * A store that keeps letters in memory, for `deadLetters` of `RunOptions`; nothing in it is
 * durable.
 */
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
