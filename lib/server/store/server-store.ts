/**
 * The port of the store of a server: the data that the folders of runs cannot hold (cursors of schedules, decisions,
 * the queue, tokens, the audit), and an index of the runs. `spec/contracts/server-store.contract.ts` is the contract in
 * code.
 *
 * Guarantees: each call is one transaction, durable when it resolves; a tick has at most one run, and so has a request
 * key, also if it is used several times.
 */
import type { Alert } from '../alerts/alert.js';
import type { Reason } from '../schedules/decide.js';
import type { Pause, StoredBackfill, StoredDecision, StoredSchedule } from '../schedules/stored-schedule.js';
import type { ServerRunState, StoredRun } from '../runs/stored-run.js';
import type { StoredDelivery } from '../triggers/known-triggers.js';

export type Role = 'viewer' | 'operator' | 'admin';

export interface StoredToken {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the token, in hexadecimal. */
  readonly hash: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

export interface AuditEntry {
  readonly at: number;
  readonly who: string;
  /** A verb and an object: `cancel run`. */
  readonly what: string;
  readonly subject: string;
}

/** An alert, with the state of its sending. */
export interface StoredAlert extends Alert {
  /** The number of attempts to send it. */
  readonly attempts: number;
  /** The time of the next attempt; null if there is none, because it was sent or given up, or there is no target. */
  readonly nextAt: number | null;
  readonly sentAt: number | null;
  /** The reason why the last attempt failed; '' if it succeeded, or if there was none. */
  readonly problem: string;
}

/** The selection of the runs to read, newest first. */
export interface RunQuery {
  readonly workflow?: string | undefined;
  readonly schedule?: string | undefined;
  readonly backfill?: string | undefined;
  readonly states?: readonly ServerRunState[] | undefined;
  /** Only runs with a smaller id, which are older. */
  readonly before?: string | undefined;
  readonly limit: number;
  /** The oldest runs first. Default: the newest ones first. */
  readonly oldestFirst?: boolean | undefined;
}

/** The decisions about one schedule, committed with the runs that they ask for. */
export interface SchedulePass {
  readonly schedule: string;
  /** The cursor from which the decisions started. The pass is refused if the cursor has changed since. */
  readonly cursorBefore: number;
  readonly cursor: number;
  readonly coveredTo: number;
  readonly at: number;
  readonly runs: readonly StoredRun[];
  readonly noRuns: readonly {
    readonly reason: Reason;
    readonly from: number;
    readonly to: number;
    readonly count: number | null;
  }[];
  readonly alerts?: readonly StoredAlert[];
}

/** A run that a trigger asks for, with its event. */
export interface DeliveredRun {
  readonly delivery: StoredDelivery;
  readonly run: StoredRun;
}

/** Data that is stored together with the change of a run. */
export interface Along {
  readonly alerts?: readonly StoredAlert[];
  /** The runs that its end starts, unless their events are known. */
  readonly runsAfter?: readonly DeliveredRun[];
}

export interface ServerStore {
  schedules(): Promise<readonly StoredSchedule[]>;
  /** Adds schedules, or replaces those with the same ids. */
  putSchedules(schedules: readonly StoredSchedule[]): Promise<void>;
  /** Removes a schedule. Its decisions and runs stay. Returns whether it existed. */
  removeSchedule(id: string): Promise<boolean>;
  /**
   * Commits a pass. Returns false, and changes nothing, if the cursor of the schedule is no longer `cursorBefore`. A
   * stretch of ticks without a run that continues the last decision, for the same reason, is joined with it.
   */
  commitPass(pass: SchedulePass): Promise<boolean>;
  /** Newest first. */
  decisions(
    schedule: string,
    query: { readonly before?: number | undefined; readonly limit: number },
  ): Promise<readonly StoredDecision[]>;

  /** Adds a run; returns the one with the same request key if there is one already. */
  addRun(run: StoredRun): Promise<StoredRun>;
  /**
   * Adds a backfill with its runs; returns the one with the same request key, and adds nothing, if there is one
   * already.
   */
  addBackfill(backfill: StoredBackfill, runs: readonly StoredRun[]): Promise<StoredBackfill>;
  /** Newest first. */
  backfills(limit: number): Promise<readonly StoredBackfill[]>;
  run(id: string): Promise<StoredRun | undefined>;
  runs(query: RunQuery): Promise<readonly StoredRun[]>;
  /**
   * Adds the run that a trigger asks for; returns the delivery with the same key of the same trigger, and adds nothing,
   * if there is one already.
   */
  deliver(delivery: StoredDelivery, run: StoredRun): Promise<StoredDelivery>;
  /** The triggers that are paused, by their ids. */
  pausedTriggers(): Promise<ReadonlyMap<string, Pause>>;
  /** Pauses a trigger, or ends its pause with null. */
  pauseTrigger(trigger: string, pause: Pause | null): Promise<void>;
  /** Newest first. */
  deliveries(trigger: string, limit: number): Promise<readonly StoredDelivery[]>;
  /**
   * Changes a run if it is in one of these states, and stores `along` in the same transaction. Returns whether it was.
   */
  changeRun(id: string, states: readonly ServerRunState[], change: Partial<StoredRun>, along?: Along): Promise<boolean>;
  /** Runs that ended before this moment, oldest end first; none of the command line. */
  endedBefore(at: number, limit: number): Promise<readonly StoredRun[]>;
  /** Removes a run that is over. Its decision stays. Returns whether it existed. */
  removeRun(id: string): Promise<boolean>;
  /**
   * Removes the decisions, backfills without runs, events of triggers and entries of the audit before this moment. The
   * last decision of each schedule stays, and so do events of files: a file that is still there must not start a run
   * again.
   */
  forget(before: number): Promise<void>;
  /** Writes a copy of the store into a new file. */
  backUp(path: string): Promise<void>;
  /** The number of runs per state. */
  counts(): Promise<Readonly<Record<ServerRunState, number>>>;

  /** Adds alerts whose ids are new, and removes alerts that are older than a month and have no further attempt. */
  addAlerts(alerts: readonly StoredAlert[]): Promise<void>;
  /** The alerts that are due, oldest first. */
  dueAlerts(now: number, limit: number): Promise<readonly StoredAlert[]>;
  changeAlert(id: string, change: Pick<StoredAlert, 'attempts' | 'nextAt' | 'sentAt' | 'problem'>): Promise<void>;
  /** Newest first. */
  alerts(limit: number): Promise<readonly StoredAlert[]>;

  addToken(token: StoredToken): Promise<void>;
  tokens(): Promise<readonly StoredToken[]>;
  removeToken(id: string): Promise<boolean>;

  addAudit(entry: AuditEntry): Promise<void>;
  /** Newest first. */
  audit(limit: number): Promise<readonly AuditEntry[]>;

  close(): Promise<void>;
}
