/**
 * What a task tells about the upstream it calls. Every member is plain data that survives JSON; `at` is milliseconds
 * since 1970, and whoever tells an event leaves `at` and `task` to the run.
 */

/** What a task tells about the upstream it calls; part of `RunEvent`. `at` is milliseconds since 1970. */
export type CallEvent =
  | {
      /** A failed attempt will be repeated. */
      readonly type: 'retry';
      readonly at: number;
      /** The name of the task. */
      readonly task: string;
      /** The number of the record in its root. */
      readonly lineage: number;
      /** The attempt that failed, from 1. */
      readonly attempt: number;
      /** Until the next attempt is due, in milliseconds. */
      readonly delayMs: number;
      /** Of the error: its own `code`, or MILLRACE_TASK where it carries none. */
      readonly code: string;
      /** Of the error, for people. */
      readonly message: string;
    }
  | {
      /** The circuit breaker changed: while it is open the task starts nothing, and its records wait. */
      readonly type: 'circuit';
      readonly at: number;
      /** The name of the task. */
      readonly task: string;
      /** What is called, without query and credentials. */
      readonly upstream: string;
      /** The state it is in now. */
      readonly state: CircuitState;
      /** Why, and what comes next, in one sentence. */
      readonly message: string;
    }
  | {
      /** The upstream asked for less (429, Retry-After): the task starts nothing for so long. */
      readonly type: 'throttled';
      readonly at: number;
      /** The name of the task. */
      readonly task: string;
      /** What is called, without query and credentials. */
      readonly upstream: string;
      /** In milliseconds, from `at` on. */
      readonly delayMs: number;
    }
  | {
      /** Adaptive concurrency chose another limit, or says at the end which one it had. */
      readonly type: 'concurrency';
      readonly at: number;
      /** The name of the task. */
      readonly task: string;
      /** What is called, without query and credentials. */
      readonly upstream: string;
      /** The most calls in flight from now on. */
      readonly limit: number;
    }
  | ({
      /** What the calls of a task came to; told once, when the task ends. */
      readonly type: 'calls';
      readonly at: number;
      /** The name of the task. */
      readonly task: string;
    } & CallsSummary);

/** What the calls of a task came to. */
export interface CallsSummary {
  /** What was called, without query and credentials. */
  readonly upstream: string;
  /** As they print themselves. */
  readonly policies: string;
  /** The most calls in flight: as named, or what adaptive concurrency had chosen when the task ended. */
  readonly concurrency: number;
  /** How often what happened, by name; a transport adds names of its own. */
  readonly counts: CallCounts;
}

/** `closed` lets calls through, `open` none, `half-open` only a few probes. */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** What is told, before the run adds who and when. */
export type CallNews = WithoutHead<CallEvent>;
type WithoutHead<Event> = Event extends unknown ? Omit<Event, 'at' | 'task'> : never;

/** Counts by name, so that a transport can add its own. */
export type CallCounts = Readonly<Record<string, number>>;
