/** A schedule as the server knows it, and its decisions. Plain data; times are milliseconds since 1970. */
import type { Schedule } from '../../model/schedule.js';
import type { ScheduleCursor, Reason } from './decide.js';

export interface StoredSchedule extends ScheduleCursor {
  /** `<workflow>/<name>`. */
  readonly id: string;
  readonly workflow: string;
  readonly name: string;
  readonly schedule: Schedule;
  /** Grows with each change of the rule in time. */
  readonly generation: number;
  /** False once its workflow no longer has the schedule, or no longer exists. */
  readonly isPresent: boolean;
  /**
   * The name of the token that made it; null for a schedule of the workflow, which only the workflow file can change.
   */
  readonly madeBy: string | null;
  /** The user, the time and the note of the pause; null unless it is paused. */
  readonly pause: Pause | null;
}

/** The pause of a schedule or of a trigger: the user, the time and a note. */
export interface Pause {
  readonly by: string;
  readonly at: number;
  readonly note: string;
}

/** Runs for ticks of the past, asked for by a user. */
export interface StoredBackfill {
  readonly id: string;
  /** `<workflow>/<name>`. */
  readonly schedule: string;
  readonly workflow: string;
  /** The ticks after `from`, up to and including `to`. */
  readonly from: number;
  readonly to: number;
  /** The number of ticks, and so of runs. */
  readonly count: number;
  readonly askedBy: string;
  readonly at: number;
  /** The key of the request. A repeated request with the same key adds nothing. */
  readonly requestKey: string | null;
}

/** The decision about one tick, or about several consecutive ticks. */
export interface StoredDecision {
  readonly number: number;
  readonly schedule: string;
  readonly kind: 'run' | 'no-run';
  /** Null for a run. */
  readonly reason: Reason | null;
  /** The first and the last tick. */
  readonly from: number;
  readonly to: number;
  /** The number of ticks; null if they were too many to be counted. */
  readonly count: number | null;
  readonly runId: string | null;
  readonly decidedAt: number;
}
