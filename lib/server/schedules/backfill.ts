/**
 * The ticks of the past for which a user requests runs. Pure.
 *
 * Guarantees: a run covers the same time as the run that the schedule would have had at this tick: from the tick before
 * to its own.
 */
import { MillraceError } from '../../model/errors.js';
import type { Timetable } from './timetable.js';

/** A tick with the time that its run covers. Milliseconds since 1970. */
export interface BackfillTick {
  readonly tick: number;
  readonly covers: { readonly from: number; readonly to: number };
}

/** The most runs of one backfill. */
export const MOST_BACKFILLED = 1000;

/**
 * The ticks after `from`, up to and including `to`, oldest first. Throws MILLRACE_USAGE for a range with none, or with
 * too many.
 */
export function backfillTicks(
  timetable: Pick<Timetable, 'next' | 'previous'>,
  { from, to, now }: { readonly from: number; readonly to: number; readonly now: number },
): readonly BackfillTick[] {
  if (to > now) {
    throw new MillraceError(
      'MILLRACE_USAGE',
      `The range ends at ${inWords(to)}, which is not over: the schedule will have these runs itself. Choose an end in the past`,
    );
  }
  const ticks: BackfillTick[] = [];
  for (let at = timetable.next(from); at !== null && at <= to; at = timetable.next(at)) {
    if (ticks.length === MOST_BACKFILLED) {
      throw new MillraceError(
        'MILLRACE_USAGE',
        `The range from ${inWords(from)} to ${inWords(to)} has more than ${MOST_BACKFILLED} ticks: divide it`,
      );
    }
    const before = ticks.at(-1)?.tick ?? timetable.previous(at) ?? from;
    ticks.push({ tick: at, covers: { from: before, to: at } });
  }
  if (ticks.length > 0) return ticks;
  throw new MillraceError(
    'MILLRACE_USAGE',
    `The range from ${inWords(from)} to ${inWords(to)} has no tick of this schedule: choose a longer one`,
  );
}

function inWords(at: number): string {
  return new Date(at).toISOString();
}
