/** The data about schedules and backfills that a server sends and accepts. Times are milliseconds since 1970. */
import type { Json } from '../../model/json.js';
import type { ServerRunState } from './runs.js';

/** A schedule as a server knows it. */
export interface ServerSchedule {
  /** `<workflow>/<name>`. */
  readonly id: string;
  /** The name of the workflow. */
  readonly workflow: string;
  /** The name of the schedule. */
  readonly name: string;
  /** The rule in words: `30 2 * * *`, `every 15m`, or a moment. */
  readonly rule: string;
  /** The time zone of a cron pattern; null for other rules. */
  readonly zone: string | null;
  /** What happens at a tick while a run of the schedule is queued or at work: skip, queue or allow. */
  readonly overlap: string;
  /** What happens about ticks that passed while the server was down: last, none or all. */
  readonly catchUp: string;
  /** Grows by one with each change of the rule. */
  readonly generation: number;
  /** False if the workflow no longer states the schedule. */
  readonly isPresent: boolean;
  /** Who made the schedule; null for one that the workflow states, which only its file can change. */
  readonly madeBy: string | null;
  /** The rule as it was given. */
  readonly stated: Readonly<Record<string, Json>>;
  /** Who paused the schedule, when and why; null if it is not paused. */
  readonly pause: { readonly by: string; readonly at: number; readonly note: string } | null;
  /** The last decided tick, or the time at which the schedule was created. */
  readonly decidedTo: number;
  /** The next ticks, at most ten; none while the schedule is paused. */
  readonly next: readonly number[];
  /** Remarks about the rule, for example that some of its ticks do not exist. */
  readonly warnings: readonly string[];
  /** The problem with the rule; '' if there is none. */
  readonly problem: string;
}

/** The rule of a schedule that a user makes: exactly one of `cron` with `zone`, `every`, and `at`. */
export interface ScheduleRule {
  /** Five fields. */
  readonly cron?: string | undefined;
  /** The time zone of the pattern, such as `Europe/Berlin`. */
  readonly zone?: string | undefined;
  /** Equal distances of real time: `30s`, `15m`, `6h`, `1d`. */
  readonly every?: string | undefined;
  /** A moment at which `every` has a tick, in ISO 8601. */
  readonly anchor?: string | undefined;
  /** One moment, in ISO 8601. */
  readonly at?: string | undefined;
  /** What happens at a tick while a run of the schedule is queued or at work. Default `skip`. */
  readonly overlap?: 'skip' | 'queue' | 'allow' | undefined;
  /** What happens about ticks that passed while the server was down. Default `last`. */
  readonly catchUp?: 'last' | 'none' | 'all' | undefined;
  /** The longest delay between a tick and the start of its run, such as `5m`. Default: none. */
  readonly jitter?: string | undefined;
  /** Values by key; only keys in the `params` of the workflow. */
  readonly settings?: Readonly<Record<string, Json>> | undefined;
}

/** The next ticks of a rule. */
export interface SchedulePreview {
  /** The next ticks, at most ten. */
  readonly next: readonly number[];
  /** Remarks about the rule, for example that some of its ticks do not exist. */
  readonly warnings: readonly string[];
}

/** The decision about a tick, or about a stretch of ticks. */
export interface ScheduleDecision {
  /** The number of the decision; a later one has a larger number. */
  readonly number: number;
  /** Whether a run was queued. */
  readonly kind: 'run' | 'no-run';
  /**
   * Why there was no run. overlap: another one was at work. down: no server was there. paused: the schedule was paused.
   * coalesced: a later tick had the run. limit: too many ticks were to be caught up.
   */
  readonly reason: 'overlap' | 'down' | 'paused' | 'coalesced' | 'limit' | null;
  /** The first tick. */
  readonly from: number;
  /** The last tick. */
  readonly to: number;
  /** The number of ticks; null for too many to count. */
  readonly count: number | null;
  /** The id of the run; null for none. */
  readonly runId: string | null;
  /** The time of the decision. */
  readonly decidedAt: number;
}

/** Which decisions to list. */
export interface DecisionsQuery {
  /** Only decisions with a smaller number. */
  readonly before?: number | undefined;
  /** The most decisions to list, 1 to 200. Default 50. */
  readonly limit?: number | undefined;
}

/** A range of ticks, after `from` and up to and including `to`. */
export interface TickRange {
  /** Ticks after this moment. */
  readonly from: number;
  /** Ticks up to and including this moment. */
  readonly to: number;
  /** `missing`: only ticks without a run that is queued, at work or completed. Default `all`. */
  readonly ticks?: 'all' | 'missing' | undefined;
}

/** The properties of a requested backfill. */
export interface BackfillRequest extends TickRange {
  /** Whether its runs may overlap. Default false: each waits for the end of the one before. */
  readonly overlaps?: boolean | undefined;
  /** Asking again under the same key refers to the same backfill. Default: each request is a new backfill. */
  readonly requestKey?: string | undefined;
}

/** A preview of a backfill. */
export interface BackfillPreview {
  /** The number of its runs. */
  readonly count: number;
  /** The ticks; of more than ten the first nine and the last. */
  readonly ticks: readonly number[];
  /** The settings of its runs. Secrets are masked. */
  readonly settings: Readonly<Record<string, Json>>;
}

/** Runs for ticks of the past, asked for together. */
export interface ServerBackfill {
  /** The id. */
  readonly id: string;
  /** `<workflow>/<name>` of the schedule. */
  readonly schedule: string;
  /** The name of the workflow. */
  readonly workflow: string;
  /** Ticks after this moment. */
  readonly from: number;
  /** Ticks up to and including this moment. */
  readonly to: number;
  /** The number of its runs. */
  readonly count: number;
  /** The name of the token that asked for the backfill. */
  readonly askedBy: string;
  /** When it was asked for. */
  readonly at: number;
  /** The number of its runs by state, without states that no run has. */
  readonly states: Readonly<Record<string, number>>;
}

/** Which ticks a calendar has. */
export interface CalendarQuery {
  /** The edges of the stretches of time: ascending moments, with commas. */
  readonly edges: string;
  /** Only this schedule: `<workflow>/<name>`. */
  readonly schedule?: string | undefined;
}

/** The ticks of a schedule in one stretch of time. */
export interface CalendarCell {
  /** The number of runs by state; `removed` for runs that are no longer kept. */
  readonly runs: Readonly<Partial<Record<ServerRunState | 'removed', number>>>;
  /** The number of ticks without a run by reason; null if some of them were not counted one by one. */
  readonly noRuns: Readonly<Partial<Record<NonNullable<ScheduleDecision['reason']>, number | null>>>;
  /** The number of future ticks; null for too many to count. */
  readonly coming: number | null;
}

/** The ticks of a schedule in several stretches of time. */
export interface CalendarRow {
  /** `<workflow>/<name>`. */
  readonly schedule: string;
  /** Whether older decisions were left out. */
  readonly isPartial: boolean;
  /** One cell per stretch, oldest first. */
  readonly cells: readonly CalendarCell[];
}
