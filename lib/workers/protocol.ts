/**
 * The messages between the thread of the run and its worker threads, all typed and plain data.
 *
 * The thread of the run numbers the chunks and uses each number once, so it recognises an answer to a chunk that is no
 * longer outstanding. Credits: at most `CREDITS` chunks, and `ITEM_CREDITS` batches of a stream, are outstanding.
 */
import type { ChunkResult, Ending, ExportKind, Workload, ModuleRef, PlacedStates } from '../execution/executor.js';
import type { WireError } from './error-wire.js';

/** Outstanding chunks per thread: one to work on, and one to continue with while the first answer travels. */
export const CREDITS = 2;
/** Outstanding batches per stream. */
export const ITEM_CREDITS = 2;

/** The `workerData` of a thread. */
export interface ThreadData {
  readonly millrace: true;
  /** Shared memory; see PROGRESS. */
  readonly progress: Int32Array;
}

/** Consecutive lineages or places as the first one only; others as a list. */
export type WireLineages = number | readonly number[];

/** Messages to a thread. */
export type ToThread =
  | { readonly type: 'check'; readonly id: number; readonly ref: ModuleRef; readonly as: ExportKind }
  | {
      readonly type: 'open';
      readonly workload: number;
      readonly spec: Workload;
      /** The states with which a keyed workload begins. */
      readonly states: PlacedStates | undefined;
    }
  | {
      readonly type: 'chunk';
      readonly workload: number;
      readonly chunk: number;
      readonly lineages: WireLineages;
      readonly records: readonly unknown[];
      /** See `Chunk.places`. */
      readonly places: WireLineages | undefined;
      /** See `Chunk.forgotten`. */
      readonly forgotten: readonly number[] | undefined;
      /** See `Chunk.seeds`. */
      readonly seeds: PlacedStates | undefined;
      readonly wantsBetween: boolean;
    }
  | { readonly type: 'close'; readonly workload: number }
  /** Requests the results of a partition workload as a stream of that number. */
  | { readonly type: 'collect'; readonly workload: number; readonly stream: number }
  | { readonly type: 'stream'; readonly stream: number; readonly ref: ModuleRef }
  | { readonly type: 'more'; readonly stream: number }
  | { readonly type: 'stop'; readonly stream: number };

/** An ending whose error is plain data. */
export interface WireEnding extends Omit<Ending, 'error'> {
  readonly error?: WireError;
}

/** The answer to a chunk as plain data. */
export interface WireResult extends Omit<ChunkResult, 'endings'> {
  readonly endings: readonly WireEnding[];
}

/** Messages from a thread. */
export type FromThread =
  | { readonly type: 'ready' }
  | { readonly type: 'checked'; readonly id: number; readonly error?: WireError }
  /** A workload is loaded, so a later death of the thread was not caused by loading the workload. */
  | { readonly type: 'loaded'; readonly workload: number }
  | ({ readonly type: 'done'; readonly chunk: number } & WireResult)
  /** An error that ends a whole workload. */
  | { readonly type: 'failed'; readonly workload: number; readonly chunk: number; readonly error: WireError }
  | { readonly type: 'items'; readonly stream: number; readonly items: readonly unknown[] }
  | { readonly type: 'over'; readonly stream: number; readonly error?: WireError };

export function packLineages(lineages: readonly number[]): WireLineages {
  const first = lineages[0] as number;
  for (let i = 1; i < lineages.length; i++) if (lineages[i] !== first + i) return lineages;
  return first;
}

export function unpackLineages(lineages: WireLineages, count: number): readonly number[] {
  if (typeof lineages !== 'number') return lineages;
  const all: number[] = [];
  for (let i = 0; i < count; i++) all.push(lineages + i);
  return all;
}
