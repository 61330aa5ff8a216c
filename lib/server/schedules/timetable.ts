/**
 * The ticks of a schedule: the moments that it names, in milliseconds since 1970. Pure functions of their arguments.
 *
 * Guarantees: when clocks go forward, a fixed time in the skipped hour ticks once, at the end of that hour. When clocks
 * go back, a fixed time in the repeated hour ticks only the first time. Patterns with a wildcard or a step in minutes or
 * hours follow real time (as cron(8) of Vixie). A pattern that is too long, or that never matches, is refused. Nothing
 * here uses the timers of croner.
 */
import { Cron } from 'croner';
import { describeThrown, invalidOption } from '../../model/errors.js';
import type { Schedule } from '../../model/schedule.js';
import { parseDuration } from '../../text/quantities.js';

/** Ticks, oldest first, and the range of earlier ticks if they were too many to be listed. */
export interface DueTicks {
  readonly ticks: readonly number[];
  /** Absent if all are listed. `count` is null if there are too many to be counted. */
  readonly earlier?: TickRange;
}

/** Consecutive ticks of one schedule. */
export interface TickRange {
  readonly from: number;
  readonly to: number;
  readonly count: number | null;
}

/** A schedule that was checked. */
export interface Timetable {
  /** The first tick after this moment; null if there is none. */
  next(after: number): number | null;
  /** The last tick before this moment; null if there is none. */
  previous(before: number): number | null;
  /** The ticks after `after`, up to and including `until`; at most `MOST_TICKS` of them are listed, the last ones. */
  due(after: number, until: number): DueTicks;
  /** Warnings for the user: a pattern that matches rarely, or that joins two conditions by "or". */
  readonly warnings: readonly string[];
}

/** The most ticks that are listed one by one. It is also the maximum number of runs of a catch-up. */
export const MOST_TICKS = 100;
/** Ticks of a pattern are counted up to this number: each costs about 0.1 ms. */
const MOST_COUNTED = 1000;
const LONGEST_PATTERN = 200;
const YEAR_MS = 366 * 86_400_000;
/** A pattern must match once in this time. The 29th of February is eight years apart around 2100. */
const HORIZON_MS = 9 * YEAR_MS;
const SECOND_MS = 1000;

/** Throws MILLRACE_INVALID_OPTION for a schedule that has no ticks, or that cannot be read. */
export function timetableOf(schedule: Schedule): Timetable {
  if ('cron' in schedule) return cronTimetable(schedule.cron, schedule.zone);
  if ('every' in schedule) return intervalTimetable(schedule.every, schedule.anchor);
  return oneTimeTimetable(momentOf('at', schedule.at));
}

function cronTimetable(pattern: string, zone: string): Timetable {
  if (pattern.length > LONGEST_PATTERN || !/^\S+( +\S+){4}$/.test(pattern)) {
    throw invalidOption(
      `Expected \`cron\` to be five fields (minute, hour, day of month, month, day of week), got '${pattern.slice(0, 80)}'. An example: '30 2 * * *'`,
    );
  }
  assertZone(zone);
  try {
    cronOf(pattern, zone);
  } catch (error) {
    throw invalidOption(`'${pattern}' is not a cron pattern: ${describeThrown(error)}`, { cause: error });
  }
  const next = (after: number): number | null => cronOf(pattern, zone).nextRun(new Date(after))?.getTime() ?? null;
  const first = next(Date.UTC(2026, 0));
  if (first === null || first > Date.UTC(2026, 0) + HORIZON_MS) {
    throw invalidOption(`The pattern '${pattern}' never matches: there is no such date. Correct its day or its month`);
  }
  return {
    next,
    previous: (before) => cronOf(pattern, zone).previousRuns(1, new Date(before))[0]?.getTime() ?? null,
    due: (after, until) => dueOf(cronOf(pattern, zone), next, after, until),
    warnings: warningsOf(pattern, first, next),
  };
}

/** The pattern of the last call: calls for one schedule come one after another. */
let latest: { readonly key: string; readonly cron: Cron } | undefined;

/**
 * The pattern, read. It is not kept per schedule, because croner makes an array of 10,000 years of each pattern (80 kB),
 * and reads one in 0.1 ms.
 */
function cronOf(pattern: string, zone: string): Cron {
  const key = `${zone} ${pattern}`;
  if (latest?.key !== key) {
    const cron = new Cron(pattern, { timezone: zone, mode: '5-part', fixedTimeRule: 'no-wildcard', paused: true });
    latest = { key, cron };
  }
  return latest.cron;
}

function dueOf(cron: Cron, next: (after: number) => number | null, after: number, until: number): DueTicks {
  const ticks: number[] = [];
  let at = after;
  let count = 0;
  let first: number | undefined;
  while (count < MOST_COUNTED) {
    const tick = next(at);
    if (tick === null || tick > until) break;
    first ??= tick;
    ticks.push(tick);
    if (ticks.length > MOST_TICKS + 1) ticks.shift();
    at = tick;
    count++;
  }
  if (first === undefined || count <= MOST_TICKS) return { ticks };
  if (count < MOST_COUNTED) {
    const [before, ...last] = ticks as [number, ...number[]];
    return { ticks: last, earlier: { from: first, to: before, count: count - MOST_TICKS } };
  }
  // There are too many ticks to visit each of them, so the last ones are found from the end.
  const last = cron.previousRuns(MOST_TICKS + 1, new Date(until + 1)).map((date) => date.getTime());
  const [before, ...listed] = last.sort((a, b) => a - b) as [number, ...number[]];
  return { ticks: listed, earlier: { from: first, to: before, count: null } };
}

function intervalTimetable(every: string, anchor: string | undefined): Timetable {
  const period = parseDuration(every) ?? 0;
  if (period < SECOND_MS || period > 10 * YEAR_MS) {
    throw invalidOption(
      `Expected \`every\` to be a whole number and s, m, h or d, from one second to ten years, got '${every.slice(0, 80)}'. An example: '15m'`,
    );
  }
  const origin = anchor === undefined ? 0 : momentOf('anchor', anchor);
  const next = (after: number): number => origin + (Math.floor((after - origin) / period) + 1) * period;
  return {
    next,
    previous: (before) => origin + (Math.ceil((before - origin) / period) - 1) * period,
    due: (after, until) => {
      const first = next(after);
      const last = next(until) - period;
      if (last < first) return { ticks: [] };
      const count = (last - first) / period + 1;
      const listed = Math.min(count, MOST_TICKS);
      const ticks = Array.from({ length: listed }, (_, index) => last - (listed - 1 - index) * period);
      if (count === listed) return { ticks };
      return { ticks, earlier: { from: first, to: (ticks[0] as number) - period, count: count - listed } };
    },
    warnings: [],
  };
}

function oneTimeTimetable(at: number): Timetable {
  return {
    next: (after) => (at > after ? at : null),
    previous: (before) => (at < before ? at : null),
    due: (after, until) => ({ ticks: at > after && at <= until ? [at] : [] }),
    warnings: [],
  };
}

function warningsOf(pattern: string, first: number, next: (after: number) => number | null): readonly string[] {
  const [, , day = '*', , weekday = '*'] = pattern.split(/ +/);
  const second = next(first);
  return [
    ...(day !== '*' && day !== '?' && weekday !== '*' && weekday !== '?'
      ? ['The day of month and the day of week are both set: the schedule has a tick where one of them matches']
      : []),
    ...(second === null || second - first > 1.5 * YEAR_MS ? ['The pattern matches less than once a year'] : []),
  ];
}

function momentOf(name: string, text: string): number {
  const hasOffset = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const at = hasOffset ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(at)) return at;
  throw invalidOption(
    `Expected \`${name}\` to be an ISO 8601 time with Z or an offset, such as 2026-12-01T08:00:00+01:00, got '${text.slice(0, 80)}'`,
  );
}

function assertZone(zone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
  } catch (error) {
    throw invalidOption(`Expected \`zone\` to be a time zone such as 'Europe/Berlin', got '${zone.slice(0, 80)}'`, {
      cause: error,
    });
  }
}
