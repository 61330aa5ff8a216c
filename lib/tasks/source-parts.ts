/**
 * The protocol between a task and the threads that read its source in parts and fold each part: the request, and the
 * reports that the threads return instead of records. Everything here is plain data, because it crosses threads.
 */
import type { ModuleRef } from '../execution/executor.js';

/** The aggregate that folds each part, and its limits. */
export interface FoldRequest {
  /** The export with the functions of the aggregate: `loadChecked(aggregate, 'aggregate')` loads it. */
  readonly aggregate: ModuleRef;
  /** The most keys in one part. */
  readonly maxKeys: number;
  /** The aggregating task, for messages. */
  readonly task: string;
}

/** A record that was given up in a thread. */
export interface BadRecord {
  /** Its number among all records of the source. */
  readonly number: number;
  /** The value to put into its dead letter. */
  readonly input: unknown;
  /** The `code` of the error. */
  readonly code: string;
  /** The message of the error. */
  readonly message: string;
}

/** Consecutive records of a part that were read and folded. */
export interface FoldProgress {
  /** All rows that were read, including skipped and bad ones. */
  readonly rows: number;
  /** The number of skipped rows per reason. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Rows from which the source could not make records. */
  readonly bad: readonly BadRecord[];
  /** Records that the aggregate could not add. */
  readonly unfolded: readonly BadRecord[];
}

/** At the end of a range: keys in the order in which they first appeared in it, with their states. */
export interface FoldedStates {
  /** Pairs of a key and its state. A part may report them a few at a time. */
  readonly states: readonly (readonly [key: unknown, state: unknown])[];
}

/** The result of `finish` for one key, with the number of the first record of the key. */
export interface FoldedResult {
  /** The number of the first record of the key among all records of the source. */
  readonly from: number;
  /** The output, unless the result is a skip or a failure. */
  readonly output?: unknown;
  /** The reason, if `finish` returned a skip. */
  readonly skip?: string;
  /** The key and the error, if `finish` threw. */
  readonly failure?: { readonly key: unknown; readonly code: string; readonly message: string };
}

/** At the end of a share: results, in the order in which their keys first appeared. */
export interface FoldedResults {
  /** The results. A part may report them a few at a time. */
  readonly results: readonly FoldedResult[];
}

/** A report of a part. A part streams progress first, then states or results. */
export type FoldReport = FoldProgress | FoldedStates | FoldedResults;

/** The work of the threads that read a source and fold it. */
export interface FoldedParts {
  /** The work of each thread: an export that streams `FoldReport`s. */
  readonly refs: Promise<readonly ModuleRef[]>;
  /**
   * The last reports of a part: 'states' if every part may contain every key, or 'results' if all records of a key are
   * in one part.
   */
  readonly give: 'states' | 'results';
}
