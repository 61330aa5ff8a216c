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

/** A part of what a process of a run has printed, at most 64 kB. */
export interface RunOutput {
  /** The text, without control sequences of terminals. */
  readonly text: string;
  /** Where the part begins, in bytes from the start of the output. */
  readonly from: number;
  /** Where the part ends. */
  readonly to: number;
  /** The bytes of the whole output. */
  readonly size: number;
  /** The process, counted from 1. */
  readonly process: number;
}

/** Which part of the output of a run to read. Default: the end of the output of its last process. */
export interface OutputQuery {
  /** The process, counted from 1. Default: the last one. */
  readonly process?: number | undefined;
  /** The part ends here, at most 64 kB after its begin. */
  readonly before?: number | undefined;
  /** The part begins here. Not with `before` or `find`. */
  readonly after?: number | undefined;
  /** The part begins with the last line, before `before`, that contains this text. It is empty without such a line. */
  readonly find?: string | undefined;
}

/** A process that has worked on a run. */
export interface RunProcess {
  /** Counted from 1. */
  readonly number: number;
  /** The machine. */
  readonly host: string;
  /** The id of the process on its machine. */
  readonly pid: number;
  /** When it began. */
  readonly startedAt: number;
  /** When it ended; null while it is at work, and for one that died. */
  readonly endedAt: number | null;
  /** The outcome of the run in this process; null for one that has done no work, and without an end. */
  readonly outcome: string | null;
  /** Whether it is at work. */
  readonly isAtWork: boolean;
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

/** Which dead letters to list: those of one group. */
export interface LettersQuery {
  /** The task that gave the records up. */
  readonly task: string;
  /** The code of the error. */
  readonly code: string;
  /** The message of the group. */
  readonly message: string;
  /** The number of letters to leave out. Default 0. */
  readonly skip?: number | undefined;
  /** The most letters to list, 1 to 100. Default 20. */
  readonly limit?: number | undefined;
}

/** A record that was given up. */
export interface ServerLetter {
  /** `Root#number`. */
  readonly name: string;
  /** The record as JSON, at most 4,000 characters of it. Secrets are masked. */
  readonly record: string;
  /** The number of tries. */
  readonly attempts: number;
  /** The message of the last error. */
  readonly message: string;
  /** When it was given up. */
  readonly at: number;
}

/** A page of dead letters. */
export interface LettersPage {
  /** In the order in which the records were given up. */
  readonly letters: readonly ServerLetter[];
  /** Whether there are more. */
  readonly hasMore: boolean;
}

/** One trace of a record. */
export interface ServerTrace {
  /** The task. */
  readonly task: string;
  /** ISO 8601; '' if it is not known. */
  readonly at: string;
  /** `Root#number`; '' if it is not known. */
  readonly record: string;
  /** What happened to the record there. */
  readonly what: string;
}
