/** The data about runs that a server sends and accepts. Plain data; times are milliseconds since 1970. */
import type { Json } from '../../model/json.js';

/**
 * queued: waits for a place. starting: its process was asked for. running: its process is at work. interrupted: its
 * process died, and the run was not resumed. The others are outcomes.
 */
export type ServerRunState =
  'queued' | 'starting' | 'running' | 'completed' | 'failed' | 'drained' | 'cancelled' | 'interrupted';

/** The origin of a run; `webhook`, `file` and `workflow` are triggers. */
export type ServerRunOrigin = 'schedule' | 'request' | 'command line' | 'backfill' | 'webhook' | 'file' | 'workflow';

/** A run as a server knows it. */
export interface ServerRun {
  /** The id. Ids sort by the time at which the runs were queued. */
  readonly id: string;
  /** The name of the workflow. */
  readonly workflow: string;
  /** The state of the run. */
  readonly state: ServerRunState;
  /** The origin of the run. */
  readonly origin: ServerRunOrigin;
  /** The name of the token that asked for the run; '' for none. */
  readonly askedBy: string;
  /** `<workflow>/<schedule>`; null for a run that no schedule started. */
  readonly schedule: string | null;
  /** The tick of the schedule. */
  readonly scheduledFor: number | null;
  /** The start of the time that the run covers. */
  readonly coversFrom: number | null;
  /** The end of the time that the run covers. */
  readonly coversTo: number | null;
  /** The id of the backfill that the run belongs to. */
  readonly backfill: string | null;
  /** `<workflow>/<trigger>`; null for a run that no trigger started. */
  readonly triggeredBy: string | null;
  /** The event of the trigger: the id of a message, the path of a file, or the id of another run. */
  readonly subject: string | null;
  /** When the run was queued. */
  readonly queuedAt: number;
  /** When its first process started. */
  readonly startedAt: number | null;
  /** When the run ended. */
  readonly endedAt: number | null;
  /** How the run was asked to stop. */
  readonly stopWish: 'drain' | 'cancel' | null;
  /** The settings that were given for this run, by key. Secrets are masked. */
  readonly settings: Readonly<Record<string, Json>>;
  /** Records of all sources that are settled. */
  readonly settled: number;
  /** The number of dead letters. */
  readonly deadLetters: number;
  /** The problem of the run, in one sentence; '' if there is none. */
  readonly problem: string;
  /** Why a queued run waits; '' for any other. */
  readonly waitsFor: string;
}

/** A page of runs. */
export interface RunsPage {
  /** Newest first. */
  readonly runs: readonly ServerRun[];
  /** The value of `before` for the next page; null on the last one. */
  readonly before: string | null;
}

/** Which runs to list. */
export interface RunsQuery {
  /** Only runs of this workflow. */
  readonly workflow?: string | undefined;
  /** Only runs of this schedule: `<workflow>/<schedule>`. */
  readonly schedule?: string | undefined;
  /** Only runs of the backfill with this id. */
  readonly backfill?: string | undefined;
  /** Only runs in this state. */
  readonly state?: ServerRunState | undefined;
  /** Only runs that are older than the one with this id. */
  readonly before?: string | undefined;
  /** The most runs to list, 1 to 200. Default 50. */
  readonly limit?: number | undefined;
}

/** The properties of a requested run. */
export interface RunRequest {
  /** Values by key; only keys in the `params` of the workflow. Their texts are used as they are. */
  readonly settings?: Readonly<Record<string, Json>> | undefined;
  /** Asking again under the same key refers to the same run. Default: each request is a new run. */
  readonly requestKey?: string | undefined;
}

/** The end of the output of the last process of a run, at most 64 kB. */
export interface RunOutput {
  /** The text, without control sequences of terminals. */
  readonly text: string;
}

/** Dead letters with the same reason. */
export interface LetterGroup {
  /** The task that gave the records up. */
  readonly task: string;
  /** The code of the error. */
  readonly code: string;
  /** The message, with its numbers and quoted parts left out. */
  readonly message: string;
  /** The message of one of the letters. */
  readonly example: string;
  /** The number of letters. */
  readonly count: number;
}

/** The dead letters of a run, by reason. */
export interface LetterGroups {
  /** The groups, largest first. */
  readonly groups: readonly LetterGroup[];
  /** The number of letters in no group. */
  readonly others: number;
}
