/**
 * What goes over the port between the thread of the run and its worker threads: every message, typed, plain data.
 *
 * Chunks are numbered by the thread of the run; a number is used once, so an answer to a chunk that nobody waits for any
 * more is known as stale. Credits: at most `CREDITS` chunks, and `ITEM_CREDITS` batches of a stream, are outstanding.
 */
import type { ChunkResult, Ending, ExportKind, Job, ModuleRef } from '../execution/executor.js';
import type { WireError } from './error-wire.js';

/** One to work on, one to go on with while the answer to the first travels. */
export const CREDITS = 2;
/** Batches of a stream that may be under way. */
export const ITEM_CREDITS = 2;

/** What a thread is started with. */
export interface ThreadData {
  readonly millrace: true;
  /** Shared; see PROGRESS. */
  readonly progress: Int32Array;
}

/** Lineages mostly follow each other; then the first says them all. */
export type WireLineages = number | readonly number[];

export type ToThread =
  | { readonly type: 'check'; readonly id: number; readonly ref: ModuleRef; readonly as: ExportKind }
  | { readonly type: 'open'; readonly job: number; readonly spec: Job }
  | {
      readonly type: 'chunk';
      readonly job: number;
      readonly chunk: number;
      readonly lineages: WireLineages;
      readonly records: readonly unknown[];
      readonly wantsBetween: boolean;
    }
  | { readonly type: 'close'; readonly job: number }
  /** Gives the results of a partition job as a stream of that number. */
  | { readonly type: 'collect'; readonly job: number; readonly stream: number }
  | { readonly type: 'stream'; readonly stream: number; readonly ref: ModuleRef }
  | { readonly type: 'more'; readonly stream: number }
  | { readonly type: 'stop'; readonly stream: number };

/** An ending whose error was made ready to travel. */
export interface WireEnding extends Omit<Ending, 'error'> {
  readonly error?: WireError;
}

export interface WireResult extends Omit<ChunkResult, 'endings'> {
  readonly endings: readonly WireEnding[];
}

export type FromThread =
  | { readonly type: 'ready' }
  | { readonly type: 'checked'; readonly id: number; readonly error?: WireError }
  | ({ readonly type: 'done'; readonly chunk: number } & WireResult)
  /** The job as a whole cannot go on. */
  | { readonly type: 'failed'; readonly job: number; readonly chunk: number; readonly error: WireError }
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
