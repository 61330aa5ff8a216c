/**
 * The ticks of schedules in each of several stretches of time: their runs, ticks without a run, and future ticks.
 *
 * Guarantees: the work is bounded, and the result marks what was not counted (`isPartial`, null); the event loop is
 * free between two schedules.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { MillraceError } from '../../model/errors.js';
import type { ServerRunState } from '../runs/stored-run.js';
import type { ServerStore } from '../store/server-store.js';
import type { Reason } from './decide.js';
import type { StoredDecision, StoredSchedule } from './stored-schedule.js';
import type { Timetable } from './timetable.js';

/** The ticks of one schedule between two edges. */
export interface CalendarCell {
  /** Runs by state. A run that was removed since counts as `removed`. */
  runs: Partial<Record<ServerRunState | 'removed', number>>;
  /** Ticks without a run, by reason; null if some of them were not counted one by one. */
  noRuns: Partial<Record<Reason, number | null>>;
  /** Future ticks; null for too many to count. */
  coming: number | null;
}

export interface CalendarRow {
  readonly schedule: string;
  /** One per stretch between two edges. */
  readonly cells: readonly CalendarCell[];
  /** Whether older decisions were left out. */
  readonly isPartial: boolean;
}

export interface CalendarPorts {
  readonly store: Pick<ServerStore, 'decisions' | 'run'>;
  readonly timetable: (schedule: StoredSchedule) => Timetable | MillraceError;
  readonly now: number;
}

const PAGE = 200;
/** The most decisions that are read per schedule. */
const MOST_DECISIONS = 2000;
/** The most future ticks that are counted for all schedules together: a tick of a pattern costs about 0.1 ms. */
const MOST_COMING = 5000;

/** @param edges at least two moments, ascending. */
export async function calendarOf(
  schedules: readonly StoredSchedule[],
  edges: readonly number[],
  { store, timetable, now }: CalendarPorts,
): Promise<readonly CalendarRow[]> {
  const rows: CalendarRow[] = [];
  let left = MOST_COMING;
  for (const schedule of schedules) {
    const cells = edges.slice(1).map((): CalendarCell => ({ runs: {}, noRuns: {}, coming: 0 }));
    const isPartial = await addDecisions(cells, schedule.id, edges, store);
    const table = timetable(schedule);
    if (!(table instanceof MillraceError) && schedule.isPresent && schedule.pause === null) {
      left = addComing(cells, table, Math.max(now, schedule.cursor), edges, left);
    }
    rows.push({ schedule: schedule.id, cells, isPartial });
    await breathe();
  }
  return rows;
}

async function addDecisions(
  cells: readonly CalendarCell[],
  schedule: string,
  edges: readonly number[],
  store: CalendarPorts['store'],
): Promise<boolean> {
  let before: number | undefined;
  for (let read = 0; read < MOST_DECISIONS; read += PAGE) {
    const page = await store.decisions(schedule, { before, limit: PAGE });
    for (const decision of page) {
      if (decision.to < (edges[0] as number)) return false;
      await addDecision(cells, decision, edges, store);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return false;
    before = last.number;
  }
  return true;
}

async function addDecision(
  cells: readonly CalendarCell[],
  { from, to, runId, reason, count }: StoredDecision,
  edges: readonly number[],
  store: CalendarPorts['store'],
): Promise<void> {
  const own = cells.filter((_, index) => from < (edges[index + 1] as number) && to >= (edges[index] as number));
  const [first, another] = own;
  if (first === undefined) return;
  if (runId !== null) {
    const state = (await store.run(runId))?.state ?? 'removed';
    first.runs[state] = (first.runs[state] ?? 0) + 1;
  } else if (reason !== null) {
    // The ticks of one decision are counted together, so their number per stretch is known only within one stretch.
    const isWhole = another === undefined && from >= (edges[0] as number) && to < (edges.at(-1) as number);
    for (const { noRuns } of own) {
      const known = noRuns[reason] ?? (reason in noRuns ? null : 0);
      noRuns[reason] = isWhole && count !== null && known !== null ? known + count : null;
    }
  }
}

/** Returns the number of ticks that may still be counted. */
function addComing(
  cells: readonly CalendarCell[],
  timetable: Timetable,
  now: number,
  edges: readonly number[],
  most: number,
): number {
  let left = most;
  for (const [index, cell] of cells.entries()) {
    // A tick at an edge belongs to the stretch that begins there.
    const [after, until] = [Math.max(now, (edges[index] as number) - 1), (edges[index + 1] as number) - 1];
    if (until <= after) continue;
    if (left <= 0) {
      cell.coming = null;
      continue;
    }
    const { ticks, earlier } = timetable.due(after, until);
    const more = earlier === undefined ? 0 : earlier.count;
    cell.coming = more === null ? null : ticks.length + more;
    left -= cell.coming ?? most;
  }
  return left;
}
