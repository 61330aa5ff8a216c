/** The ports that the engine asks of its surroundings, and the plain data that crosses them. */
import type { Json } from './checkpoint.js';
import type { Clock } from './clock.js';
import type { Lineage } from './record.js';
import type { TouchedFile } from './touched-file.js';

export type { Clock } from './clock.js';

/** A value, or a promise of it. */
export type Awaitable<T> = T | PromiseLike<T>;

/** Where a lineage was born: serialisable and unique across processes. */
export interface LineageId {
  /** The name of the root. */
  readonly root: string;
  /** The partition of the root. */
  readonly partition: number;
  /** The number in the partition, from 0. */
  readonly number: Lineage;
}

/** A record that was given up. Times are milliseconds since 1970. */
export interface DeadLetter {
  /** The run that gave it up. */
  readonly runId: string;
  /** The task that gave it up. */
  readonly task: string;
  /** Which record it was, by the root it was born in. */
  readonly lineage: LineageId;
  /** What the task had been given. It may be anything, also what JSON has no word for. */
  readonly record: unknown;
  /** Tries made, at least 1. */
  readonly attempts: number;
  /** Of the last error: its own `code`, or MILLRACE_TASK where it carries none. */
  readonly code: string;
  /** Of the last error. */
  readonly message: string;
  /** When the first try began, where that is known; else when the record was given up. */
  readonly firstAt: number;
  /** When the record was given up. */
  readonly lastAt: number;
}

/**
 * Where dead letters go.
 *
 * Contract: `write` is called in the order the records were given up and never after `close`; it takes the letter at
 * once and may say by `isFull` that sources should wait; `whenReady` calls back once it can take more. `close` resolves
 * when every letter is durable. A store that cannot write rejects `close` and reports through `whenBroken`.
 */
export interface DeadLetterStore {
  /** Takes the letter at once, also while `isFull`; never called after `close`. */
  write(letter: DeadLetter): void;
  /** While true, sources wait. */
  readonly isFull: boolean;
  /** Adds a listener, called each time `isFull` goes back to false. */
  whenReady(listener: () => void): void;
  /** Adds a listener, called when letters can no longer be written: the run fails. */
  whenBroken(listener: (error: unknown) => void): void;
  /** Resolves when every letter is durable; rejects where one could not be written. */
  close(): Promise<void>;
  /** Rejects where letters could not be written, for those who want to know before a run starts; changes nothing. */
  assertWritable?(): Promise<void>;
  /** Where people find the letters, such as a path. */
  readonly location?: string;
  /** The files it writes, where it writes any: no task may read or write them. */
  files?(): readonly TouchedFile[];
  /** Of a store that outlives the process, for checkpoints. */
  readonly durable?: DurableLetters;
}

/** Which record a dead letter is about, and who gave it up. */
export type LetterHead = Pick<DeadLetter, 'task' | 'lineage'>;

/** Dead letters that a resumed run finds as the checkpoint says. */
export interface DurableLetters {
  /** Fixes, when it is called, which letters there are; resolves when they would survive the loss of power. */
  mark(): Promise<Json>;
  /**
   * Goes back to the mark, and leaves out the letters that `keeps` refuses: their records are done again. Resolves with
   * the mark of what is left. Until `commit` the letters can be read by the old mark too, so that the new one can be
   * made safe in between. Without a mark the letters of this run are left out, and nobody else's.
   */
  rewind(mark: Json, keeps: (letter: LetterHead) => boolean, runId: string): Promise<Json>;
  /** The mark that `rewind` gave is in a checkpoint. */
  commit(): Promise<void>;
}

/** What a user's function gets beside the record. */
export interface RecordContext {
  /** The name of the task in its workflow. */
  readonly task: string;
  /** The same in every life of a resumed run. */
  readonly runId: string;
  /** The number of the record, from 0, by its root. */
  readonly lineage: Lineage;
  /** 1 for the first try; those that cost no attempt, because the upstream was busy or down, are counted too. */
  readonly attempt: number;
  /**
   * Aborts when nobody waits for the work any more: the run was cancelled or failed, or the attempt took too long. Its
   * `reason` is the error that says which.
   */
  readonly signal: AbortSignal;
  /** The run's time; use it instead of `Date.now` and a test can set it. */
  now(): number;
  /** The run's seeded randomness, 0 ≤ x < 1. */
  random(): number;
}

/**
 * How a run ended: everything settled; sources were stopped early and the rest settled; it was aborted; it failed.
 */
export type RunOutcome = 'completed' | 'drained' | 'cancelled' | 'failed';

/** What a task gets when it opens and closes. */
export interface TaskContext {
  /** The name of the task in its workflow. */
  readonly task: string;
  /** The same in every life of a resumed run. */
  readonly runId: string;
  /** The time of the run; a test may have given it a virtual one. */
  readonly clock: Clock;
  /** Aborts when the run is cancelled or fails. */
  readonly signal: AbortSignal;
  /** The run's seeded randomness, 0 ≤ x < 1, one sequence for all tasks. */
  random(): number;
}

/** Follows single records through the tasks that wait for something, where somebody traces them. */
export interface RecordTracer {
  /** A record begins at a task; undefined for one that is not sampled. */
  begin(task: string, lineage: Lineage): RecordSpan | undefined;
}

/** One record at one task. */
export interface RecordSpan {
  /** What upstreams are told of it (W3C Trace Context, level 1). */
  readonly traceparent: string;
  /** Once, when the record leaves the task; with the error where it was given up. */
  end(attempts: number, error?: { readonly error: unknown }): void;
}
