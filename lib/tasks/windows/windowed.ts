/** What a window task does with the records of a window, what it emits, and its options. */
import type { Skip } from '../../model/record.js';
import type { DurableOptions, TaskOptions } from '../task-options.js';
import type { WindowKind } from './window-kinds.js';

/** The open windows of all keys, unless `maxWindows` says otherwise. */
export const DEFAULT_MAX_WINDOWS = 1_000_000;

/** The named output of late records. */
export const LATE = 'late';

/** A stretch of time, or of records, for one key. */
export interface WindowOf<Key> {
  /** The key that all records of the window have. */
  readonly key: Key;
  /**
   * Milliseconds since 1970; in windows of records: the number of its first record among all records of the task.
   */
  readonly start: number;
  /** Exclusive, in the unit of `start`. For a session: `gapMs` after its last record. */
  readonly end: number;
  /** The number of records that the window has. */
  readonly records: number;
  /** False for an early result: the window is still open. */
  readonly isFinal: boolean;
}

/**
 * How the records of a window become its result. `State` may be changed in place by `add`, which returns it. Results do
 * not depend on the order of the records if `add` does not.
 */
export interface Windowed<In, Key, State, Out> {
  /** Each key has windows of its own. Default: one key for all records, `undefined`. */
  readonly key?: (record: In) => Key;
  /**
   * The time of a record in milliseconds since 1970. Default: the time at which the task receives the record, by the
   * clock of the run. Not for windows of records.
   */
  readonly timestamp?: (record: In) => number;
  /** Made by `tumbling`, `sliding`, `session` or `counted`. */
  readonly window: WindowKind;
  /** The state of a window before its first record. */
  readonly init: (key: Key) => State;
  /** The state after the record. If it throws, the record ends by `onFailure`. */
  readonly add: (state: State, record: In) => State;
  /** The state of two windows that became one. Only for sessions, and required there. */
  readonly merge?: (left: State, right: State) => State;
  /** The result of a window, or `skip(reason)`. */
  readonly finish: (state: State, window: WindowOf<Key>) => Out | Skip;
}

/** A record that came after a window that it belongs to was closed, as the output `late` emits it. */
export interface LateRecord<In> {
  /** The record as the task received it. */
  readonly record: In;
  /** The time of the record. */
  readonly timestamp: number;
  /** How far the watermark was ahead of the record, in milliseconds. */
  readonly lateByMs: number;
  /**
   * The windows that it missed. A record of sliding windows may have been added to others of its windows, which were
   * still open.
   */
  readonly missed: readonly { readonly start: number; readonly end: number }[];
}

/** Options of `windowTask` and `windowJoin`. */
export interface WindowOptions<In, Out> extends TaskOptions<In, Out>, DurableOptions {
  /**
   * How much older than the newest record before it a record may be, in milliseconds: a window is closed when the
   * watermark is so far behind its end. Default 0.
   */
  readonly allowedLatenessMs?: number;
  /**
   * A channel (a partition of a source, or an input of a merge) that brought no record for so long does not hold back
   * the watermark, in milliseconds of the clock of the run. Default: it does until it ends.
   */
  readonly idleMs?: number;
  /** The most open windows of all keys; one more fails the run with MILLRACE_WINDOW_OVERFLOW. Default 1,000,000. */
  readonly maxWindows?: number;
}
