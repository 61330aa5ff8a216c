/** Schedules of a workflow: the times at which runs start, as its definition states them. Plain data. */
import type { Json } from './json.js';

/** The options that all schedules have. */
export interface ScheduleRules {
  /**
   * The behaviour at a tick while a run of this schedule is queued or active. 'skip' (default): the tick starts no run.
   * 'queue': one run waits until the active one has ended. 'allow': runs may overlap.
   */
  readonly overlap?: 'skip' | 'queue' | 'allow';
  /**
   * The treatment of ticks that passed while the server was down. 'last' (default): one run, for the last of them.
   * 'none': no run. 'all': one run per tick, one after another, for at most the last 100 of them.
   */
  readonly catchUp?: 'last' | 'none' | 'all';
  /**
   * A run starts up to this long after its tick, `30s`, `15m`, `6h` or `1d`, so that many schedules with the same rule
   * do not start at once. The delay of each tick is fixed. Default: no delay.
   */
  readonly jitter?: string;
  /**
   * Settings of the configuration for the runs of this schedule, by key as for `--set`. Strings may use environment
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

/** Ticks at equal intervals of real time, whatever the local clock does. */
export interface IntervalSchedule extends ScheduleRules {
  /** A whole number and a unit: `30s`, `15m`, `6h`, `1d` (24 hours). At least one second. */
  readonly every: string;
  /** A time, ISO 8601 with an offset or Z, from which the intervals are counted. Default: 1970-01-01T00:00:00Z. */
  readonly anchor?: string;
}

/** A single tick. */
export interface OneTimeSchedule extends ScheduleRules {
  /** ISO 8601 with an offset or Z. */
  readonly at: string;
}

/** A schedule for `millrace serve`. */
export type Schedule = CronSchedule | IntervalSchedule | OneTimeSchedule;
