/**
 * What a task tells about the upstream it calls. Every member is plain data that survives JSON; `at` is milliseconds
 * since 1970, and whoever tells an event leaves `at` and `task` to the run.
 */

export type CallEvent =
  | {
      /** A failed attempt will be repeated. */
      readonly type: 'retry';
      readonly at: number;
      readonly task: string;
      readonly lineage: number;
      /** The attempt that failed, from 1. */
      readonly attempt: number;
      readonly delayMs: number;
      readonly code: string;
      readonly message: string;
    }
  | {
      /** The circuit breaker changed: while it is open the task starts nothing, and its records wait. */
      readonly type: 'circuit';
      readonly at: number;
      readonly task: string;
      readonly upstream: string;
      readonly state: CircuitState;
      readonly message: string;
    }
  | {
      /** The upstream asked for less (429, Retry-After): the task starts nothing for so long. */
      readonly type: 'throttled';
      readonly at: number;
      readonly task: string;
      readonly upstream: string;
      readonly delayMs: number;
    }
  | {
      /** Adaptive concurrency chose another limit, or says at the end which one it had. */
      readonly type: 'concurrency';
      readonly at: number;
      readonly task: string;
      readonly upstream: string;
      readonly limit: number;
    }
  | ({
      /** What the calls of a task came to; told once, when the task ends. */
      readonly type: 'calls';
      readonly at: number;
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
  readonly counts: CallCounts;
}

export type CircuitState = 'closed' | 'open' | 'half-open';

/** What is told, before the run adds who and when. */
export type CallNews = WithoutHead<CallEvent>;
type WithoutHead<Event> = Event extends unknown ? Omit<Event, 'at' | 'task'> : never;

/** Counts by name, so that a transport can add its own. */
export type CallCounts = Readonly<Record<string, number>>;
