/** A schedule as the server knows it, and what it has decided. Plain data; times are milliseconds since 1970. */
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
  /** False once its workflow no longer has it. */
  readonly isPresent: boolean;
  /** Who paused it, when and why; null unless it is paused. */
  readonly pause: { readonly by: string; readonly at: number; readonly note: string } | null;
}

/** What became of one tick, or of several in a row. */
export interface StoredDecision {
  readonly number: number;
  readonly schedule: string;
  readonly kind: 'run' | 'no-run';
  /** Null for a run. */
  readonly reason: Reason | null;
  /** The first and the last tick. */
  readonly from: number;
  readonly to: number;
  /** How many ticks; null if they were too many to be counted. */
  readonly count: number | null;
  readonly runId: string | null;
  readonly decidedAt: number;
}
