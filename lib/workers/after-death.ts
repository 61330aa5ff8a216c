/**
 * What to do with the records a thread had in hand when it died. Promises: the record it was on is run again alone, and
 * fails if it kills its thread again, so that one is not blamed for what another left behind; all others are run again;
 * where nobody knows which record it was, the chunk is halved, so every death leads closer to the culprit.
 */
import type { Chunk } from '../execution/executor.js';
import type { Position, Posted, Thread } from './thread.js';
import type { Rerun } from './thread-job.js';

export interface Verdict {
  /** The record that fails now. */
  readonly guilty?: { readonly index: number; readonly stage: number; readonly attempts: number };
  readonly reruns: readonly Rerun[];
}

/** About one chunk that was under way. */
export function judge(
  posted: Posted,
  position: Position | undefined,
  thread: Pick<Thread, 'outstanding' | 'stoppedAt'>,
): Verdict {
  const { chunk, isSuspect } = posted;
  // A job that was still being loaded may have been overtaken, so the order they were given in says less than the position.
  const wasOnIt = position === undefined ? thread.outstanding[0] === posted : position.chunk === posted.number;
  if (!wasOnIt) return { reruns: [{ chunk, isSuspect: false }] };
  const isAlone = chunk.records.length === 1;
  // What was moved to the thread is gone with it.
  if (posted.job.transfer !== undefined) {
    return { guilty: { index: 0, stage: position?.stage ?? 0, attempts: 1 }, reruns: [] };
  }
  if (position === undefined) {
    return isAlone && isSuspect
      ? { guilty: { index: 0, stage: 0, attempts: 2 }, reruns: [] }
      : { reruns: halves(chunk) };
  }
  const { index, stage } = position;
  const others = [slice(chunk, 0, index), slice(chunk, index + 1, chunk.records.length)]
    .filter(({ records }) => records.length > 0)
    .map((part) => ({ chunk: part, isSuspect: false }));
  // Its time was taken by the record itself: there is no doubt.
  if (thread.stoppedAt !== undefined) return { guilty: { index, stage, attempts: 1 }, reruns: others };
  if (isSuspect && isAlone) return { guilty: { index: 0, stage, attempts: 2 }, reruns: [] };
  return { reruns: [...others, { chunk: slice(chunk, index, index + 1), isSuspect: true }] };
}

/** The thread died between two chunks, or as it began one: nobody knows on which record. */
function halves(chunk: Chunk): Rerun[] {
  const { length } = chunk.records;
  if (length === 1) return [{ chunk, isSuspect: true }];
  const middle = Math.ceil(length / 2);
  return [slice(chunk, 0, middle), slice(chunk, middle, length)].map((part) => ({ chunk: part, isSuspect: true }));
}

/** Part of a chunk, from one record up to, not including, another. */
export function slice(chunk: Chunk, start: number, end: number): Chunk {
  return {
    from: chunk.from + start,
    lineages: chunk.lineages.slice(start, end),
    records: chunk.records.slice(start, end),
  };
}
