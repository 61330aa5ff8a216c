/** The functions and the options of a `statefulTask`. */
import type { RecordContext } from '../model/ports.js';
import type { Skip } from '../model/record.js';
import type { DurableOptions, TaskOptions } from './task-options.js';

/**
 * The functions that change the state of a key with each record. `step` may change `State` in place, and returns it. In
 * a thread, `Context` is `ThreadContext`.
 */
export interface Stateful<In, Key, State, Out, Context = RecordContext> {
  /**
   * The key whose state a record belongs to. With `partitionBy` it is also called in the thread of the run. Default:
   * one state for all records, with the key `undefined`.
   */
  readonly key?: (record: In) => Key;
  /** The state of a key before its first record, and after it was evicted. */
  readonly init: (key: Key) => State;
  /**
   * Returns the state after the record, and the output, or `skip(reason)`. If it throws, the state stays as it was,
   * unless it was changed in place, and `onFailure` decides about the record.
   */
  readonly step: (state: State, record: In, context: Context) => readonly [state: State, output: Out | Skip];
}

/** Options of `statefulTask`. */
export interface StatefulOptions<In, Out> extends TaskOptions<In, Out>, DurableOptions {
  /**
   * The most keys. One more evicts the key that was used longest ago. Default: 10,000,000, and one more fails the run
   * with MILLRACE_AGGREGATE_OVERFLOW.
   */
  readonly maxKeys?: number;
  /**
   * The milliseconds without a record after which the state of a key is evicted, by the clock of the run. Default:
   * never.
   */
  readonly ttlMs?: number;
  /**
   * Calls `step` in threads: one thread has all states of a key. The hash of the key (`partitionOf`) chooses the
   * thread; a function may return a coarser key. The functions must be tagged (`threadStateful`, `threadFactory`), or
   * given as a module URL and the name of an export. After each group of records, a thread sends the changed states to
   * the thread of the run. If the thread dies, a new one continues with these states. States and outputs
   * must be plain data. Default: `step` is called in the thread of the run.
   */
  readonly partitionBy?: 'key' | ((record: In) => string);
  /**
   * With `partitionBy`: the limit in milliseconds for one record. Its thread is stopped at the limit. Default: no
   * limit.
   */
  readonly timeoutMs?: number;
}
