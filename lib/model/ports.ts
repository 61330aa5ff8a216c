/** The ports between the engine and its surroundings, and the plain data that crosses them. */
import type { Json } from './checkpoint.js';
import type { Clock } from './clock.js';
import type { Lineage } from './record.js';
import type { TouchedFile } from './touched-file.js';

export type { Awaitable } from './awaitable.js';
export type { Clock } from './clock.js';

/** Where a lineage was born: serialisable and unique across processes. */
export interface LineageId {
  /** The name of the root. */
  readonly root: string;
  /** The partition of the root. */
  readonly partition: number;
  /** The number in the partition, from 0. */
  readonly number: Lineage;
  /**
   * Present only behind a boundary whose state is stored: derived from the records that the record was made of, such as
   * `7/2`, the third child of record 7. After a crash the number may belong to another record, but the name never does.
   */
  readonly name?: string;
}

/** A record that was given up. Times are milliseconds since 1970. */
export interface DeadLetter {
  /** The run that gave it up. */
  readonly runId: string;
  /** The task that gave it up. */
  readonly task: string;
  /** The record, identified by the root it was born in. */
  readonly lineage: LineageId;
  /** The input of the task. It may be any value, including those that JSON cannot represent. */
  readonly record: unknown;
  /** The number of tries, at least 1. */
  readonly attempts: number;
  /** The `code` of the last error, or MILLRACE_TASK if it has none. */
  readonly code: string;
  /** The message of the last error. */
  readonly message: string;
  /** When the first try began, if that is known; otherwise when the record was given up. */
  readonly firstAt: number;
  /** When the record was given up. */
  readonly lastAt: number;
}

/**
 * Stores dead letters.
 *
 * Contract: `write` is called in the order in which records were given up, and never after `close`. It accepts each
 * letter at once; with `isFull` the store asks sources to wait, and `whenReady` calls back once it can accept more.
 * `close` resolves when every letter is durable. A store that cannot write rejects `close` and reports through
 * `whenBroken`.
 */
export interface DeadLetterStore {
  /** Accepts the letter at once, even while `isFull`; never called after `close`. */
  write(letter: DeadLetter): void;
  /** While this is true, sources wait. */
  readonly isFull: boolean;
  /** Adds a listener, called each time `isFull` changes back to false. */
  whenReady(listener: () => void): void;
  /** Adds a listener, called when letters can no longer be written; the run then fails. */
  whenBroken(listener: (error: unknown) => void): void;
  /** Resolves when every letter is durable; rejects if one could not be written. */
  close(): Promise<void>;
  /** Rejects if letters could not be written. A check before a run starts; changes nothing. */
  assertWritable?(): Promise<void>;
  /**
   * Called once, before the tasks of the run open. Rejects with MILLRACE_LOCKED if another run writes to the same
   * place.
   */
  open?(): Promise<void>;
  /** The place where people find the letters, such as a path. */
  readonly location?: string;
  /** The files that the store writes, if any: no task may read or write them. */
  files?(): readonly TouchedFile[];
  /** Present if the store outlives the process; checkpoints use it. */
  readonly durable?: DurableLetters;
}

/** The task that gave up a record, and the record. */
export type LetterHead = Pick<DeadLetter, 'task' | 'lineage'>;

/** Dead letters that a resumed run restores to the state of its checkpoint. */
export interface DurableLetters {
  /**
   * Fixes the set of letters at the moment of the call. Resolves with its position once it would survive the loss of
   * power.
   */
  persist(): Promise<Json>;
  /**
   * Goes back to the position and removes the letters that `keeps` refuses: their records are processed again.
   * Resolves with the position of the remaining letters. Until `commit`, the old position stays readable too, so that a
   * checkpoint with the new position can be written in between. With a null position it removes the letters of this run
   * only.
   */
  rewind(position: Json, keeps: (letter: LetterHead) => boolean, runId: string): Promise<Json>;
  /** Called once the position that `rewind` returned is in a checkpoint. */
  commit(): Promise<void>;
}

/** The second argument of a user's function, beside the record. */
export interface RecordContext {
  /** The name of the task in its workflow. */
  readonly task: string;
  /** The same in every incarnation of a resumed run. */
  readonly runId: string;
  /**
   * The number of the record in its root, from 0. Behind a source with several partitions it is a number of this
   * incarnation of the run only; use `id`.
   */
  readonly lineage: Lineage;
  /** The identity of the record: no other record of the run has it, in any incarnation. */
  readonly id: LineageId;
  /** 1 for the first try. Tries that cost no attempt, because the upstream was busy or down, count too. */
  readonly attempt: number;
  /**
   * Aborts when the result is no longer needed: the run was cancelled or failed, or the attempt took too long. Its
   * `reason` is the error that names the cause.
   */
  readonly signal: AbortSignal;
  /** The run's time. Use it instead of `Date.now`, so that a test can set the time. */
  now(): number;
  /** The run's seeded randomness, 0 ≤ x < 1. */
  random(): number;
}

/**
 * How a run ended. `completed`: all records settled; `drained`: sources were stopped early and the records in flight
 * settled; `cancelled`: the run was aborted; `failed`: it failed.
 */
export type RunOutcome = 'completed' | 'drained' | 'cancelled' | 'failed';

/** The argument of a task's `open` and `close`. */
export interface TaskContext {
  /** The name of the task in its workflow. */
  readonly task: string;
  /** The same in every incarnation of a resumed run. */
  readonly runId: string;
  /** The time of the run; virtual in some tests. */
  readonly clock: Clock;
  /** Aborts when the run is cancelled or fails. */
  readonly signal: AbortSignal;
  /** The run's seeded randomness, 0 ≤ x < 1, one sequence for all tasks. */
  random(): number;
}

/** Traces single records through tasks that wait for something. */
export interface RecordTracer {
  /**
   * Called when a record begins at a task, with its number in the partition of its root; returns undefined for a record
   * that is not sampled.
   */
  begin(task: string, lineage: Lineage, partition?: number): RecordSpan | undefined;
}

/** One record at one task. */
export interface RecordSpan {
  /** The trace context that calls to upstreams carry (W3C Trace Context, level 1). */
  readonly traceparent: string;
  /** Called once, when the record leaves the task; with the error if it was given up. */
  end(attempts: number, error?: { readonly error: unknown }): void;
}
