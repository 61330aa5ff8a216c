/** The interface of a loaded workload, and the shared memory in which it reports the record it works on. */
import type { Chunk, ChunkResult, Collected, PlacedStates } from './executor.js';

/** The fields of a workload's progress: chunk, member and record. Threads share them, so they are plain integers. */
export const PROGRESS = { chunk: 0, member: 1, index: 2, length: 4 } as const;

/** One chunk to execute. */
export interface ChunkWork {
  readonly chunk: Chunk;
  readonly progress: Int32Array;
  readonly wantsBetween: boolean;
}

/** A workload that is ready to execute chunks. */
export interface LoadedWorkload {
  /** For a keyed workload: continues with these states. Called before the first chunk. */
  restore?(states: PlacedStates): void;
  execute(work: ChunkWork): ChunkResult;
  /** For a workload that aggregates a partition: the results, after the last chunk. */
  collect?(): Iterable<Collected>;
  /** The parts of the outputs that are moved instead of copied. */
  transferOf(outputs: readonly unknown[]): readonly object[];
}
