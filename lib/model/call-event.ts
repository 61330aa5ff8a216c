/**
 * Events of a task that calls an upstream. Every member is plain data that survives JSON; the run adds `at` and `task`.
 */

/** An event about the upstream that a task calls; part of `RunEvent`. `at` is milliseconds since 1970. */
export type CallEvent =
  | {
      /** A failed attempt will be repeated. */
      readonly type: 'retry';
      readonly at: number;
      /** The name of the task. */
      readonly task: string;
      /** The number of the record in its root, or in the partition of its root. */
      readonly lineage: number;
      /** The partition of its root; omitted if it is 0. */
      readonly partition?: number;
      /** The attempt that failed, from 1. */
      readonly attempt: number;
      /** Time until the next attempt, in milliseconds. */
      readonly delayMs: number;
      /** The `code` of the error, or MILLRACE_TASK if it has none. */
      readonly code: string;
      /** The message of the error, for people. */
      readonly message: string;
    }
  | {
      /** The circuit breaker changed its state. While it is open, the task starts no calls and its records wait. */
      readonly type: 'circuit';
      readonly at: number;
      /** The name of the task. */
      readonly task: string;
      /** The address that is called, without query and credentials. */
      readonly upstream: string;
      /** The new state. */
      readonly state: CircuitState;
      /** The reason, and what comes next, in one sentence. */
      readonly message: string;
    }
  | {
      /** The upstream asked for fewer calls (429, Retry-After): the task starts no calls for `delayMs`. */
      readonly type: 'throttled';
      readonly at: number;
      /** The name of the task. */
      readonly task: string;
      /** The address that is called, without query and credentials. */
      readonly upstream: string;
      /** Length of the pause in milliseconds, from `at` on. */
      readonly delayMs: number;
    }
  | {
      /** Adaptive concurrency chose another limit. One more event at the end reports the last limit. */
      readonly type: 'concurrency';
      readonly at: number;
      /** The name of the task. */
      readonly task: string;
      /** The address that is called, without query and credentials. */
      readonly upstream: string;
      /** The most calls in flight from now on. */
      readonly limit: number;
    }
  | ({
      /** Totals of the calls of a task, emitted once when the task ends. */
      readonly type: 'calls';
      readonly at: number;
      /** The name of the task. */
      readonly task: string;
    } & CallsSummary);

/** Totals of the calls of a task. */
export interface CallsSummary {
  /** The address that was called, without query and credentials. */
  readonly upstream: string;
  /** The policies in their own printed form. */
  readonly policies: string;
  /** The most calls in flight: the configured number, or the last limit that adaptive concurrency chose. */
  readonly concurrency: number;
  /** Counts by name, such as retries; a transport adds names of its own. */
  readonly counts: CallCounts;
}

/** `closed` lets all calls through, `open` none, `half-open` only a few probes. */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** A `CallEvent` before the run has added its time and task. */
export type CallNews = WithoutHead<CallEvent>;
type WithoutHead<Event> = Event extends unknown ? Omit<Event, 'at' | 'task'> : never;

/** Counts by name, so that a transport can add its own. */
export type CallCounts = Readonly<Record<string, number>>;
