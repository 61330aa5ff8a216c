/**
 * A source that threads read in parts, each folding its part on the spot: what the source is asked for, and what comes
 * back instead of records. Everything here is plain data, because it crosses threads.
 */
import type { ModuleRef } from '../execution/executor.js';

/** What each part is folded with. */
export interface FoldRequest {
  readonly aggregate: ModuleRef;
  readonly maxKeys: number;
  /** The aggregating task, for messages. */
  readonly task: string;
}

/** A record that was given up in a thread. */
export interface BadRecord {
  /** The number it has among all records of the source. */
  readonly number: number;
  readonly input: unknown;
  readonly code: string;
  readonly message: string;
}

/** A stretch of a part that was read and folded. */
export interface FoldProgress {
  /** Everything read, whatever became of it. */
  readonly rows: number;
  readonly skipped: Readonly<Record<string, number>>;
  /** What the source could not make records of. */
  readonly bad: readonly BadRecord[];
  /** What the aggregate could not add. */
  readonly unfolded: readonly BadRecord[];
}

/** At the end of a range: keys in the order in which they first appeared in it, with their states. */
export interface FoldedStates {
  readonly states: readonly (readonly [key: unknown, state: unknown])[];
}

/** What `finish` made of one key, with the number of the key's first record. */
export interface FoldedResult {
  readonly from: number;
  readonly output?: unknown;
  readonly skip?: string;
  readonly failure?: { readonly key: unknown; readonly code: string; readonly message: string };
}

/** At the end of a share: results, in the order in which their keys first appeared. */
export interface FoldedResults {
  readonly results: readonly FoldedResult[];
}

/** What a part streams: progress first, then states or results. */
export type FoldReport = FoldProgress | FoldedStates | FoldedResults;

/** How threads read a source and fold it. */
export interface FoldedParts {
  /** What each of them runs: an export that streams `FoldReport`s. */
  readonly refs: Promise<readonly ModuleRef[]>;
  /**
   * What a part ends with: 'states', where any part may have met any key, or 'results', where all records of a key
   * are in one part.
   */
  readonly give: 'states' | 'results';
}
