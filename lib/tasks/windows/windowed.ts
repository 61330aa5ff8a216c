/** The functions, the outputs and the options of a window task. */
import type { Skip } from '../../model/record.js';
import type { DurableOptions, TaskOptions } from '../task-options.js';
import type { WindowKind } from './window-kinds.js';

/** The open windows of all keys, unless `maxWindows` is set. */
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
 * The functions that make the result of a window from its records. `add` may change `State` in place, and returns it.
 * Results do not depend on the order of the records if `add` does not.
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

/** A record that came after one of its windows was closed, as the output `late` emits it. */
export interface LateRecord<In> {
  /** The record as the task received it. */
  readonly record: In;
  /** The time of the record. */
  readonly timestamp: number;
  /** The time by which the watermark was ahead of the record, in milliseconds. */
  readonly lateByMs: number;
  /**
   * The windows that it missed. A record of sliding windows may still have been added to other windows, which were
   * open.
   */
  readonly missed: readonly { readonly start: number; readonly end: number }[];
}

/** Options of `windowTask` and `windowJoin`. */
export interface WindowOptions<In, Out> extends TaskOptions<In, Out>, DurableOptions {
  /**
   * The time by which a record may be older than the newest record before it, in milliseconds. A window is closed when
   * the watermark is this much behind its end. Default 0.
   */
  readonly allowedLatenessMs?: number;
  /**
   * The milliseconds, by the clock of the run, after which a channel (a partition of a source, or an input of a merge)
   * without records no longer holds back the watermark. Default: a channel holds it back until the channel ends.

   */
  readonly idleMs?: number;
  /** The most open windows of all keys; one more fails the run with MILLRACE_WINDOW_OVERFLOW. Default 1,000,000. */
  readonly maxWindows?: number;
}
