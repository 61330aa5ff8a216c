/** The data that a server sends about itself, its workflows, triggers, alerts and users. Plain data. */
import type { Json } from '../../model/json.js';
import type { ServerRun, ServerRunState } from './runs.js';
import type { ServerSchedule } from './schedules.js';

/** Roles of users. Each includes those before it. */
export type ServerRole = 'viewer' | 'operator' | 'admin';

/** A workflow of a server. */
export interface ServerWorkflow {
  /** The name. */
  readonly name: string;
  /** The description of its definition. */
  readonly description: string;
  /** The file of the workflow. */
  readonly from: string;
  /** The keys of the configuration that users may set. */
  readonly params: readonly string[];
  /** The JSON Schema of each of the `params`, by key. */
  readonly paramSchema: Readonly<Record<string, Json>>;
  /** The schedules of the workflow. */
  readonly schedules: readonly ServerSchedule[];
  /** The newest runs, newest first, at most 30. */
  readonly recent: readonly ServerRun[];
}

/** The workflows of a server. */
export interface ServerWorkflows {
  /** False while a server that has just started does not know its workflows. */
  readonly isDescribed: boolean;
  /** The workflows. */
  readonly workflows: readonly ServerWorkflow[];
  /** The problems of files that did not load. */
  readonly problems: readonly string[];
}

/** The state of a server. Times are milliseconds since 1970. */
export interface ServerOverview {
  /** The version of millrace. */
  readonly version: string;
  /** When the server started. */
  readonly startedAt: number;
  /** The most runs at work at once. */
  readonly maxRuns: number;
  /** False while a server that has just started does not know its workflows. */
  readonly isDescribed: boolean;
  /** The problems that need attention, most urgent first; `subject` is the id of a run or of a schedule, or ''. */
  readonly attention: readonly {
    readonly about: 'server' | 'run' | 'schedule' | 'workflow' | 'alert';
    readonly subject: string;
    readonly text: string;
  }[];
  /** Runs that are not over, with the read share of their input and their records per second. */
  readonly active: readonly {
    readonly run: ServerRun;
    readonly readShare: number | null;
    readonly perSecond: number;
  }[];
  /** The next tick of each schedule, soonest first, at most 20. */
  readonly next: readonly { readonly schedule: string; readonly at: number }[];
  /** The number of runs by state. */
  readonly counts: Readonly<Record<ServerRunState, number>>;
  /** The last 24 hours, oldest first, each from its beginning, with the number of runs that ended in it by state. */
  readonly lastDay: readonly {
    readonly at: number;
    readonly ended: Readonly<Partial<Record<ServerRunState, number>>>;
  }[];
  /** The servers that share the store, by number; empty for the only server of a store. */
  readonly servers: readonly {
    /** Grows with each server that joins. */
    readonly number: number;
    readonly host: string;
    /** The address of its page. */
    readonly url: string;
    /** The sizes of its pools, by name. */
    readonly pools: Readonly<Record<string, number>>;
    /** The most runs that it has at work. */
    readonly maxRuns: number;
    readonly startedAt: number;
    /** The last renewal of its lease, by the clock of the database. */
    readonly renewedAt: number;
    /** Whether it decides ticks. */
    readonly isLeader: boolean;
    /** Whether it is the one that answers. */
    readonly isThis: boolean;
  }[];
}

/** An alert, and whether it was sent. Times are milliseconds since 1970. */
export interface ServerAlert {
  /** The id, which is derived from the subject of the alert. */
  readonly id: string;
  /** What happened. */
  readonly kind: 'failed' | 'late' | 'dead letters' | 'no run';
  /** When it happened. */
  readonly at: number;
  /** The name of the workflow. */
  readonly workflow: string;
  /** `<workflow>/<name>` of the schedule; null for none. */
  readonly schedule: string | null;
  /** The id of the run; null for none. */
  readonly runId: string | null;
  /** One sentence. */
  readonly text: string;
  /** How often the server tried to send the alert. */
  readonly attempts: number;
  /** The time of the next attempt; null if there is none. */
  readonly nextAt: number | null;
  /** When the alert was sent. */
  readonly sentAt: number | null;
  /** The reason why the last attempt failed; '' if it succeeded, or if there was none. */
  readonly problem: string;
}

/** A trigger of a workflow. */
export interface ServerTrigger {
  /** `<workflow>/<name>`. */
  readonly id: string;
  /** The name of the workflow. */
  readonly workflow: string;
  /** The name of the trigger. */
  readonly name: string;
  /** The kind of its events: messages, files, or ends of runs. */
  readonly kind: 'webhook' | 'file' | 'workflow';
  /** In words: the address of a webhook, the pattern of files, or the end of another workflow. */
  readonly rule: string;
  /** The problem with the trigger; '' if there is none. */
  readonly problem: string;
  /** Who paused the trigger, when and why; null if it is not paused. */
  readonly pause: { readonly by: string; readonly at: number; readonly note: string } | null;
}

/** An event at which a trigger has started a run. */
export interface ServerDelivery {
  /** The id of the message, the path of the file, or the id of the run that has ended. */
  readonly subject: string;
  /** When the server saw the event, in milliseconds since 1970. */
  readonly at: number;
  /** The id of the run. */
  readonly runId: string;
}

/** A token, without its secret. Times are milliseconds since 1970. */
export interface ServerToken {
  /** The id, by which the token is removed. */
  readonly id: string;
  /** The name. */
  readonly name: string;
  /** The role. */
  readonly role: ServerRole;
  /** When the token was made. */
  readonly createdAt: number;
  /** When the token ends; null for never. */
  readonly expiresAt: number | null;
}

/** The properties of a requested token. */
export interface TokenRequest {
  /** The name. */
  readonly name: string;
  /** The role. */
  readonly role: ServerRole;
  /** Days until the token ends, 1 to 3650. Default 90. */
  readonly days?: number | undefined;
}

/** An entry of the audit: an action of a user. */
export interface ServerAuditEntry {
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** The name of the token. */
  readonly who: string;
  /** A verb and an object: `cancel run`. */
  readonly what: string;
  /** The object of the action. */
  readonly subject: string;
}

/** A run in the queue, or at work. */
export interface ServerQueuedRun {
  /** The run; `waitsFor` is the reason why it waits. */
  readonly run: ServerRun;
  /** The pools in which it takes a place. */
  readonly pools: readonly string[];
  /** The priority of its workflow; lower by 10 for a run of a backfill. */
  readonly priority: number;
}

/** The runs that wait and those at work, and the pools of the server. */
export interface ServerQueue {
  /** The most runs at work. */
  readonly maxRuns: number;
  /** The pools, each with the ids of the runs at work that take its places. */
  readonly pools: readonly { readonly name: string; readonly size: number; readonly runs: readonly string[] }[];
  /** Oldest first, at most 500. */
  readonly runs: readonly ServerQueuedRun[];
}
