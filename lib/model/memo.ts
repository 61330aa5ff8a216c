/** Remembered outputs: the options of a task, the port of the store, and the counts. Plain data and interfaces. */
import type { Json } from './json.js';
import type { Awaitable } from './awaitable.js';

/**
 * Keeps outputs across runs, by key. `memoFolder` of `millrace/memo` is one.
 *
 * Contract: a key has 64 hexadecimal digits. An entry is text, and contains a checksum: a store need not detect damage.
 * Several runs may use one store at the same time; of two entries with one key either may be kept. A store bounds its
 * own size, and may forget any entry. At most 32 calls of one task are pending at a time. What a store throws costs the
 * memory of one record, and never the record.
 */
export interface MemoStore {
  /** Resolves with the entry of the key; undefined if there is none. */
  get(key: string): Awaitable<string | undefined>;
  /** Keeps the entry in place of another one with this key. */
  put(key: string, entry: string): Awaitable<void>;
  /** Called before the first record of each task of a run. Rejects if the store cannot be used: the run fails. */
  open?(): Awaitable<void>;
  /** Called by `validate`. Rejects as `open` would, as far as that can be seen, and changes nothing. */
  check?(): Awaitable<void>;
  /** The name of the place for people, such as a path. */
  readonly location?: string;
}

/** How a task remembers its outputs. At least one of `module` and `version` is needed, except for a `cpuTask`. */
export interface MemoOptions {
  /** The place of the outputs: `memoFolder(path)` of `millrace/memo`, or a store of your own. */
  readonly store: MemoStore;
  /**
   * The module that defines the function: `import.meta.url`. Its text, and that of each file that it imports by a
   * relative path, is part of the key. Default for a `cpuTask`: the module of its function. Default otherwise: none.
   */
  readonly module?: string | URL;
  /**
   * All else that the outputs depend on, as plain JSON data: a number that you increase, values of the configuration
   * that the function uses, the name of a model. Another version has other outputs.
   */
  readonly version?: Json;
}

/** The declaration of a task about its outputs, from which the run can remember them. */
export interface TaskMemo {
  /** The options, as given. */
  readonly options: MemoOptions;
  /** The module of the function, if the task knows it. An option `module` replaces it. */
  readonly module?: string;
  /** Data that the outputs depend on, such as the text of the function. Read when the task is open. */
  readonly parts: () => readonly unknown[];
  /** Whether outputs leave in input order. */
  readonly isOrdered: boolean;
}

/** How often a task found its output in the store. Each record is either a hit or a miss. */
export interface MemoCounts {
  /** Records whose output was in the store. */
  readonly hits: number;
  /** Records that the task processed. */
  readonly misses: number;
  /** Outputs that were put into the store. */
  readonly stored: number;
}
