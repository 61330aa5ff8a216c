/** What a job looks like where it runs, and how who watches it knows which record it is on. */
import type { Chunk, ChunkResult } from './executor.js';

/** Where a job stands: which chunk, stage and record. Shared between threads, so plain integers. */
export const PROGRESS = { chunk: 0, stage: 1, index: 2, length: 4 } as const;

/** What the loop hands to `run`. */
export interface ChunkRun {
  readonly chunk: Chunk;
  readonly progress: Int32Array;
  readonly wantsBetween: boolean;
}

export interface LoadedJob {
  run(run: ChunkRun): ChunkResult;
  /** What of the outputs is moved instead of copied. */
  transferOf(outputs: readonly unknown[]): readonly object[];
}
