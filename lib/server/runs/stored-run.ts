/**
 * A run as the server knows it. The folder of the run holds everything else. Plain data; times are milliseconds since
 * 1970.
 */
import type { Json } from '../../model/json.js';

/**
 * queued: waits for a place. starting: a process was requested, and has not begun. running: a process is at work.
 * interrupted: its process died, and it was not resumed, because that was refused or did not help. The other states are
 * outcomes.
 */
export const RUN_STATES = [
  'queued',
  'starting',
  'running',
  'completed',
  'failed',
  'drained',
  'cancelled',
  'interrupted',
] as const;

export type ServerRunState = (typeof RUN_STATES)[number];

export const RUN_ORIGINS = ['schedule', 'request', 'command line', 'backfill', 'webhook', 'file', 'workflow'] as const;

/** The origin of a run; the last three are triggers. */
export type RunOrigin = (typeof RUN_ORIGINS)[number];

/** The way in which a user asked a run to stop. */
export type StopWish = 'drain' | 'cancel';

export interface StoredRun {
  readonly id: string;
  readonly workflow: string;
  readonly state: ServerRunState;
  readonly origin: RunOrigin;
  /** The name of the token that asked for it; '' for none. */
  readonly askedBy: string;
  /** `<workflow>/<schedule>`; null for a run that no schedule started. */
  readonly schedule: string | null;
  /** The tick. */
  readonly scheduledFor: number | null;
  readonly coversFrom: number | null;
  readonly coversTo: number | null;
  /** The id of the backfill that it belongs to; null for any other run. */
  readonly backfill: string | null;
  /** `<workflow>/<trigger>`; null for a run that no trigger started. */
  readonly triggeredBy: string | null;
  /** The event of the trigger: the id of the message, the path of the file, or the id of the run that has ended. */
  readonly subject: string | null;
  /** True if it waits while another run of its schedule, or of its backfill, is at work. */
  readonly isExclusive: boolean;
  /** Settings by key. Those of a user are `literal`: their texts are never replaced by environment variables. */
  readonly settings: Readonly<Record<string, Json>>;
  readonly isLiteral: boolean;
  readonly queuedAt: number;
  /** It starts at this moment or later; null if it starts as soon as there is room. */
  readonly notBefore: number | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /**
   * The time at which work on it began after it was queued or resumed; its time limit counts from here. Null before.
   */
  readonly workingSince: number | null;
  readonly stopWish: StopWish | null;
  /** The reason why the server itself stops it, in one sentence; it then ends as failed. Otherwise ''. */
  readonly stopReason: string;
  /** The wish for which its process was last signalled, and the time; stored before the signal. */
  readonly signalled: StopWish | null;
  readonly signalledAt: number | null;
  /** The number of the incarnation before the requested one. */
  readonly incarnationBefore: number;
  /** The number of consecutive resumptions without progress. */
  readonly fruitlessResumes: number;
  /** True while its dead letters are to be replayed, or are being replayed. */
  readonly isReplay: boolean;
  /** Records of all sources that had settled when it was last started. */
  readonly settledAtStart: number;
  readonly settled: number;
  readonly deadLetters: number;
  /** The problem, in one sentence; '' if there is none. */
  readonly problem: string;
  /** The key of the request. A repeated request with the same key returns the same run. */
  readonly requestKey: string | null;
  /**
   * The number of the server that follows it, if several share the store: only this one starts and signals its
   * processes. Null for a run at work that nobody follows.
   */
  readonly owner: number | null;
}

/** The facts of a run whose process was not signalled. */
export const UNSIGNALLED = { signalled: null, signalledAt: null } as const;

export const ACTIVE_STATES: readonly ServerRunState[] = ['queued', 'starting', 'running'];

export function isAtWork({ state }: Pick<StoredRun, 'state'>): boolean {
  return state === 'starting' || state === 'running';
}
