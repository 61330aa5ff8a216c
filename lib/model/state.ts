/**
 * Durable state: the state of the boundaries of a run at a checkpoint, as changes of keys, and the port that stores
 * them.
 *
 * Guarantees of the format: a key belongs to one space, and a space to one part of one task; a value is any value that
 * the structured clone algorithm copies. So a store may be a file, a compacted topic or a table.
 */
import type { Json } from './json.js';

/** The new value of one key, or its removal. */
export interface StateChange {
  /** The owner of the key: a task and a part of it. */
  readonly space: string;
  /** The key, unique in its space. */
  readonly key: string;
  /** The value in an array of one item; undefined if the key is removed. */
  readonly entry: readonly [value: unknown] | undefined;
}

/** Values by key, in the order in which their keys were first written. */
export type StateEntries = ReadonlyMap<string, unknown>;

/**
 * Stores the durable state of one run.
 *
 * Contract: `append` reads the changes to their end, once, and copies the values before it returns, because tasks may
 * change them afterwards; it rejects with what the reading throws. The promise that it
 * returns resolves with the position after the changes, once they would survive the loss of power, and rejects with
 * MILLRACE_UNCLONABLE if a value cannot be copied. `restore` returns the entries at a position. Positions are valid
 * until a checkpoint with a later one is reported to `checkpointed`. At most one `append` is outstanding.
 */
export interface StateStore {
  /** Stores changes, in their order. */
  append(changes: Iterable<StateChange>): Promise<Json>;
  /** The entries of all spaces at this position. Rejects with MILLRACE_RESUME if they cannot be read. */
  restore(position: Json): Promise<ReadonlyMap<string, StateEntries>>;
  /** Called once a checkpoint with this position is durable. Earlier positions are no longer needed. */
  checkpointed?(position: Json): Promise<void>;
  /** Releases the resources of the store. */
  close?(): Promise<void>;
}

/** Whether and how a boundary survives the end of its process. */
export type Durability =
  /** Its state is in the checkpoint. The tasks before it continue at their own watermark. */
  | 'kept'
  /** It receives its whole input again, and its outputs have the same numbers. */
  | 'computed'
  /**
   * It receives its whole input again. Its outputs are new records, so the tasks behind it process all records again.
   */
  | 'repeated';
