/**
 * Decides the ticks that are due: a pure function, without clock and storage.
 *
 * Guarantees: each tick between the old and the new cursor has exactly one decision: a run, or a reason why it has
 * none. Nothing is decided before its tick, and no tick twice, because the cursor never goes back. The intervals that
 * runs cover follow each other without a gap. With overlap 'skip' no run begins while another of the schedule is queued
 * or at work; the runs of catch-up 'all' wait for each other.
 */
import type { ScheduleRules } from '../../model/schedule.js';
import type { TickRange, Timetable } from './timetable.js';

/** The progress of a schedule. */
export interface ScheduleCursor {
  /** The last tick that was decided, or the time at which the schedule was created. Milliseconds since 1970. */
  readonly cursor: number;
  /**
   * The tick of the last run, or the time at which the schedule was created. The next run covers the time since then.
   */
  readonly coveredTo: number;
  readonly isPaused: boolean;
}

/** The present. */
export interface Situation {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The runs of this schedule that are at work. */
  readonly atWork: number;
  /** The runs of this schedule that wait in the queue. */
  readonly queued: number;
}

/** The reasons why a tick has no run of its own. */
export type Reason = 'overlap' | 'down' | 'paused' | 'coalesced' | 'limit';

/** A run to be queued. */
export interface RunDecision {
  readonly kind: 'run';
  readonly tick: number;
  /** The time since the last tick that had a run, to this one. */
  readonly covers: { readonly from: number; readonly to: number };
  /** True if it must not overlap with other runs of its schedule. */
  readonly isExclusive: boolean;
}

/** Ticks that have no run. */
export interface NoRunDecision extends TickRange {
  readonly kind: 'no-run';
  readonly reason: Reason;
}

export type Decision = RunDecision | NoRunDecision;

export interface Pass {
  /** In the order of their ticks. */
  readonly decisions: readonly Decision[];
  readonly cursor: number;
  readonly coveredTo: number;
}

/** A tick that is older than this, in milliseconds, counts as missed: no server decided it in time. */
export const ON_TIME_MS = 60_000;

export function decide(
  { overlap = 'skip', catchUp = 'last' }: ScheduleRules,
  timetable: Pick<Timetable, 'due'>,
  { cursor, coveredTo, isPaused }: ScheduleCursor,
  situation: Situation,
): Pass {
  const { now } = situation;
  const { ticks, earlier } = now <= cursor ? { ticks: [] } : timetable.due(cursor, now);
  const last = ticks.at(-1);
  if (last === undefined) return { decisions: [], cursor, coveredTo };
  if (isPaused) return { decisions: [joined('paused', ticks, earlier)], cursor: last, coveredTo };

  const decisions: Decision[] = [];
  let covered = coveredTo;
  const { atWork } = situation;
  let { queued } = situation;
  const start = (tick: number, isExclusive: boolean): void => {
    decisions.push({ kind: 'run', tick, covers: { from: covered, to: tick }, isExclusive });
    covered = tick;
    queued++;
  };
  const startUnlessOverlap = (tick: number): void => {
    const isRefused = overlap === 'skip' ? atWork + queued > 0 : overlap === 'queue' && queued > 0;
    if (isRefused) decisions.push(joined('overlap', [tick]));
    else start(tick, overlap !== 'allow');
  };

  const isLate = (tick: number): boolean => tick < now - ON_TIME_MS;
  if (catchUp === 'all') {
    if (earlier !== undefined) decisions.push({ kind: 'no-run', reason: 'limit', ...earlier });
    for (const tick of ticks) {
      // Late ticks are exclusive and wait for each other, so the rule about overlaps does not drop them.
      if (isLate(tick)) start(tick, true);
      else startUnlessOverlap(tick);
    }
  } else if (catchUp === 'none') {
    const late = ticks.filter(isLate);
    if (late.length > 0 || earlier !== undefined) decisions.push(joined('down', late, earlier));
    for (const tick of ticks.slice(late.length)) startUnlessOverlap(tick);
  } else {
    if (ticks.length > 1 || earlier !== undefined) decisions.push(joined('coalesced', ticks.slice(0, -1), earlier));
    startUnlessOverlap(last);
  }
  return { decisions, cursor: last, coveredTo: covered };
}

function joined(reason: Reason, ticks: readonly number[], earlier?: TickRange): NoRunDecision {
  // Either `earlier` is given, or `ticks` is not empty.
  const from = earlier?.from ?? ticks[0] ?? 0;
  const to = ticks.at(-1) ?? earlier?.to ?? 0;
  const count = earlier === undefined ? ticks.length : earlier.count === null ? null : earlier.count + ticks.length;
  return { kind: 'no-run', reason, from, to, count };
}
