/** Schedules of a workflow: rules in time, as its definition states them. Plain data. */
import type { Json } from './json.js';

/** What all schedules have in common. */
export interface ScheduleRules {
  /**
   * What happens at a tick while a run of this schedule is queued or at work. 'skip' (default): the tick has no run.
   * 'queue': one run waits for the end of the one at work. 'allow': runs may overlap.
   */
  readonly overlap?: 'skip' | 'queue' | 'allow';
  /**
   * What happens to the ticks that passed while the server was down. 'last' (default): one run, for the last of them.
   * 'none': no run. 'all': one run per tick, one after another, for at most the last 100 of them.
   */
  readonly catchUp?: 'last' | 'none' | 'all';
  /**
   * A run starts up to this long after its tick, `30s`, `15m`, `6h` or `1d`, so that many schedules with the same rule
   * do not start at once. How long is fixed for each tick. Default: at its tick.
   */
  readonly jitter?: string;
  /**
   * Settings of the configuration for the runs of this schedule, by key as for `--set`. Texts may use environment
   * variables, also `${MILLRACE_SCHEDULED_FOR}`, `${MILLRACE_COVERS_FROM}` and `${MILLRACE_COVERS_TO}`, which are ISO
   * 8601 times in UTC.
   */
  readonly settings?: Readonly<Record<string, Json>>;
}

/** Ticks by a cron pattern. */
export interface CronSchedule extends ScheduleRules {
  /** Five fields: minute, hour, day of month, month, day of week. */
  readonly cron: string;
  /** The IANA name of the time zone in which the pattern is read, such as `Europe/Berlin`. Required. */
  readonly zone: string;
}

/** Ticks at equal distances of real time, whatever the clocks on the wall do. */
export interface IntervalSchedule extends ScheduleRules {
  /** A whole number and a unit: `30s`, `15m`, `6h`, `1d` (24 hours). At least one second. */
  readonly every: string;
  /** A moment, ISO 8601 with an offset or Z, from which the distances are counted. Default: 1970-01-01T00:00:00Z. */
  readonly anchor?: string;
}

/** A single tick. */
export interface OneTimeSchedule extends ScheduleRules {
  /** ISO 8601 with an offset or Z. */
  readonly at: string;
}

/** A rule in time for `millrace serve`. */
export type Schedule = CronSchedule | IntervalSchedule | OneTimeSchedule;
