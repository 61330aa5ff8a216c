/** A run over time, as a server shows it. Plain data; times are milliseconds since 1970. */

/** The work of the tasks between two moments. The members are lists with one value per task of the history. */
export interface ServerStretch {
  /** The start. */
  readonly from: number;
  /** The end. */
  readonly to: number;
  /** Records that each task finished, those that it gave up included. */
  readonly done: readonly number[];
  /** The share of the time that each task was busy, 0 to 1. */
  readonly busy: readonly number[];
  /** The share of the time that each task could not pass its records on, 0 to 1. */
  readonly blocked: readonly number[];
  /** The latency in milliseconds that 95 % of the records stayed below; null if no record was timed. */
  readonly p95: readonly (number | null)[];
}

/** A run over time. Stretches become longer as the run does, so there are at most 240. */
export interface ServerRunHistory {
  /** The id of the run. */
  readonly runId: string;
  /** When the run started. */
  readonly from: number;
  /** The time of the last event. */
  readonly to: number;
  /** The names of the tasks, in the order of the graph; of more than 40 tasks, the busiest ones. */
  readonly tasks: readonly string[];
  /** The number of tasks that are left out. */
  readonly omitted: number;
  /** Oldest first. Times at which no process was at work have no stretch. */
  readonly stretches: readonly ServerStretch[];
  /** Memory of the process in bytes, and the 99th percentile of the delay of its event loop. Oldest first. */
  readonly resources: readonly {
    readonly at: number;
    readonly rssBytes: number;
    readonly heapUsedBytes: number;
    readonly delayMs: number;
  }[];
}
