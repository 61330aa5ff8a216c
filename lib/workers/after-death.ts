/**
 * Decides what happens to the outstanding records of a thread that died.
 *
 * Guarantees: the record on which the thread died runs again alone, and fails if it kills its thread again, so that no
 * record is blamed for the effects of another. All other records run again. If the record is unknown, its chunk is
 * halved, so every further death narrows the search. No record is blamed for a thread that died while it loaded the
 * module.
 */
import type { Chunk } from '../execution/executor.js';
import type { Position, Posted, Thread } from './thread.js';
import type { Rerun } from './thread-workload.js';

/** A record fails after this number of deaths of unknown cause, even if it was never the first record of a thread. */
const MAX_DEATHS = 3;

/** The decision about one chunk. */
export interface Verdict {
  /** The record that fails now, if any. */
  readonly guilty?: { readonly index: number; readonly member: number; readonly attempts: number };
  readonly reruns: readonly Rerun[];
}

/**
 * Decides about one chunk that was outstanding when the thread died. The parts that run again are in the order of their
 * records where the workload needs it.
 */
export function judge(
  posted: Posted,
  position: Position | undefined,
  thread: Pick<Thread, 'outstanding' | 'stoppedAt' | 'isLoading'>,
): Verdict {
  const { chunk, deaths } = posted;
  // A chunk of a workload that was still loading may have been overtaken, so the position is more reliable than the
  // order.
  const wasOnIt = position === undefined ? thread.outstanding[0] === posted : position.chunk === posted.number;
  if (!wasOnIt) return { reruns: [{ chunk, deaths }] };
  // Moved data is lost with the thread, so the record cannot run again.
  if (posted.workload.transfer !== undefined) {
    return { guilty: { index: 0, member: position?.member ?? 0, attempts: 1 }, reruns: [] };
  }
  if (position === undefined && thread.isLoading(posted.workload)) return { reruns: [{ chunk, deaths }] };
  const isAlone = chunk.records.length === 1;
  if (position === undefined) {
    if (!isAlone) return { reruns: halves(chunk) };
    const isCertain = posted.isFirst || deaths + 1 >= MAX_DEATHS;
    return deaths > 0 && isCertain
      ? { guilty: { index: 0, member: 0, attempts: deaths + 1 }, reruns: [] }
      : { reruns: [{ chunk, deaths: deaths + 1 }] };
  }
  const { index, member } = position;
  const before = rerunsOf(slice(chunk, 0, index));
  const after = rerunsOf(slice(chunk, index + 1, chunk.records.length));
  const others = [...before, ...after];
  // The record itself exceeded the time limit, so there is no doubt about the cause.
  if (thread.stoppedAt !== undefined) return { guilty: { index, member, attempts: 1 }, reruns: others };
  if (isAlone && deaths > 0) return { guilty: { index: 0, member, attempts: deaths + 1 }, reruns: [] };
  const suspect = { chunk: slice(chunk, index, index + 1), deaths: 1 };
  return { reruns: posted.workload.isOrdered ? [...before, suspect, ...after] : [...others, suspect] };
}

function rerunsOf(chunk: Chunk): Rerun[] {
  return chunk.records.length > 0 ? [{ chunk, deaths: 0 }] : [];
}

/** Halves the chunk of a thread that died between two chunks, or at the start of one: the record is unknown. */
function halves(chunk: Chunk): Rerun[] {
  const { length } = chunk.records;
  const middle = Math.ceil(length / 2);
  return [slice(chunk, 0, middle), slice(chunk, middle, length)].map((part) => ({ chunk: part, deaths: 1 }));
}

/** The part of a chunk from the record at `start` up to, but not including, the record at `end`. */
export function slice(chunk: Chunk, start: number, end: number): Chunk {
  return {
    from: chunk.from + start,
    lineages: chunk.lineages.slice(start, end),
    records: chunk.records.slice(start, end),
    places: chunk.places?.slice(start, end),
    forgotten: chunk.forgotten,
    seeds: chunk.seeds,
  };
}
