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
import type { ProcessIdentity } from '../../storage/process-identity.js';
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

/** A server that joins the others of its store. */
export interface JoiningServer {
  readonly host: string;
  /** The address of its page. */
  readonly url: string;
  /** The sizes of its pools, by name. */
  readonly pools: Readonly<Record<string, number>>;
  /** The most runs that it has at work. */
  readonly maxRuns: number;
  readonly startedAt: number;
  /** The other servers may replace it if it has not renewed its lease for this long. */
  readonly leaseMs: number;
  readonly process: ProcessIdentity;
}

/** A server that shares the store. The one with the lowest number leads: it alone decides ticks. */
export interface StoredServer extends JoiningServer {
  /** Its fencing number, which is drawn anew with each join, and grows. */
  readonly number: number;
  /** By the clock of the store. */
  readonly renewedAt: number;
}

/** The servers that share the store, by number. */
export interface ServersSeen {
  readonly servers: readonly StoredServer[];
  /** The numbers of those whose leases have run out. */
  readonly silent: readonly number[];
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

/** Milliseconds since 1970. */
export interface TickRange {
  readonly from: number;
  readonly to: number;
}

/** The decisions about one schedule, committed with the runs that they ask for. */
export interface SchedulePass {
  readonly schedule: string;
  /** The cursor from which the decisions started: the pass is refused if it has changed since. */
  readonly cursorBefore: number;
  /** The generation and the pause from which they started: refused if one of them has changed. */
  readonly generation: number;
  readonly isPaused: boolean;
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

/** Runs of one state that ended in the same hour. */
export interface EndedInHour {
  /** From 0. */
  readonly hour: number;
  readonly state: ServerRunState;
  readonly runs: number;
}

export interface ServerStore {
  /**
   * Joins the servers that share the store, under a new number, which it returns. From then on each change is refused
   * with MILLRACE_LOCKED once another server has removed this one. The only server of a store does not join.
   */
  join(server: JoiningServer): Promise<number>;
  /** Renews the lease of this server. Rejects with MILLRACE_LOCKED if it was removed. */
  renew(): Promise<ServersSeen>;
  /**
   * Removes servers whose leases have run out, or, with `isDead`, whose processes are known to be dead. Their runs have
   * no owner then. Returns the number of removed servers.
   */
  removeServers(numbers: readonly number[], isDead: boolean): Promise<number>;
  /** Removes this server. */
  leave(): Promise<void>;
  /** A number that grows with each change, by any server. */
  changes(): Promise<number>;

  schedules(): Promise<readonly StoredSchedule[]>;
  /**
   * Adds the schedules that `change` returns, or replaces those with the same ids; returns them. No other server
   * changes schedules in between. A cursor never goes back. `change` may be called again after a conflict.
   */
  changeSchedules(
    change: (known: readonly StoredSchedule[]) => readonly StoredSchedule[],
  ): Promise<readonly StoredSchedule[]>;
  /** Removes a schedule. Its decisions and runs stay. Returns whether it existed. */
  removeSchedule(id: string): Promise<boolean>;
  /**
   * Commits a pass. Returns false, and changes nothing, if the schedule is no longer as the pass states. A stretch of ticks without a run that continues the last decision, for the same reason, is joined with it.
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
  /** The backfill with the request key; undefined if there is none. */
  backfillWithKey(requestKey: string): Promise<StoredBackfill | undefined>;
  /**
   * The ticks after `from`, up to and including `to`, for which the schedule or one of its backfills has a run in one of
   * the states.
   */
  ticksWithRun(scheduleId: string, range: TickRange, states: readonly ServerRunState[]): Promise<readonly number[]>;
  /** Newest first. */
  backfills(limit: number): Promise<readonly StoredBackfill[]>;
  run(id: string): Promise<StoredRun | undefined>;
  runs(query: RunQuery): Promise<readonly StoredRun[]>;
  /**
   * The runs at work that this server follows, oldest first. It adopts those at work without an owner; all of them if it
   * is the only server of the store.
   */
  followedRuns(limit: number): Promise<readonly StoredRun[]>;
  /** Makes another server the owner of a run at work, unless it was removed. Returns whether it was done. */
  handOver(id: string, server: number): Promise<boolean>;
  /**
   * Moves queued runs to 'starting', with this server as their owner, and returns them. `choose` gets the runs in these
   * states, oldest first, and returns the further changes by id. No other server claims runs in between. `choose` may
   * be called again after a conflict.
   */
  claimRuns(
    states: readonly ServerRunState[],
    limit: number,
    choose: (active: readonly StoredRun[]) => ReadonlyMap<string, Partial<StoredRun>>,
  ): Promise<readonly StoredRun[]>;
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
  /** Writes a copy of the store into a new file. Rejects with MILLRACE_USAGE for a database with a backup of its own. */
  backUp(path: string): Promise<void>;
  /** The number of runs per state. */
  counts(): Promise<Readonly<Record<ServerRunState, number>>>;
  /** The runs that have ended since this moment, by the hour since then in which they ended, and by state. Unordered. */
  endedByHour(since: number): Promise<readonly EndedInHour[]>;

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
