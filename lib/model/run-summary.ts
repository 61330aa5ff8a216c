/** What a run was, in numbers: plain data, the same whether it was read in code, told as an event or written to a file. */
import type { CallsSummary } from './call-event.js';
import type { ExecutorStats } from './thread-stats.js';
import type { LatencyFigures, Bottleneck, SlowRecord, TimeShares } from './metrics.js';
import type { RunOutcome } from './ports.js';

/** Durations in milliseconds, times in milliseconds since 1970. */
export interface RunSummary {
  /** The same in every life of a resumed run. */
  readonly runId: string;
  /** The name of the workflow. */
  readonly workflow: string;
  /** The description of the workflow; '' where it has none. */
  readonly description: string;
  /** How it ended; a `RunFailedError` carries a summary with 'failed'. */
  readonly outcome: RunOutcome;
  /** Present where the outcome is 'failed'. */
  readonly error?: { readonly code: string; readonly message: string };
  /** When this life of the run began. */
  readonly startedAt: number;
  /** When the summary was made, with everything closed. */
  readonly endedAt: number;
  /** From `startedAt` to `endedAt`, opening and closing included. */
  readonly elapsedMs: number;
  /** Records skipped, over all tasks. */
  readonly skipped: number;
  /** Dead letters of this life of the run, over all tasks. */
  readonly deadLettered: number;
  /** Dead letters that earlier lives of a resumed run left and that stand; absent where there are none. */
  readonly lettersBefore?: number;
  /** By the name of the task. */
  readonly tasks: Readonly<Record<string, TaskSummary>>;
  /** The task that kept the run from being faster; absent where no task was under load. */
  readonly bottleneck?: Bottleneck;
  /** The slowest of the records that were timed, slowest first. */
  readonly slowest: readonly SlowRecord[];
  /** Of the process; absent in virtual time. */
  readonly resources?: ResourcePeaks;
  /** Of a run that had threads. */
  readonly threads?: ExecutorStats;
}

/** What one task was; the counts are those of this life of the run. */
export interface TaskSummary {
  /** 'source', 'sync', 'request' and so on; 'custom' for a task that names none. */
  readonly kind: string;
  /** The names of the tasks whose records came in. */
  readonly dependencies: readonly string[];
  /**
   * The outcome of the run, or 'not-started' where nothing reached the task before it ended another
   * way than 'completed'.
   */
  readonly status: RunOutcome | 'not-started';
  /** Records that came in; of a source, those that were born. */
  readonly in: number;
  /** Records that came out; of a boundary, those of its new root. */
  readonly out: number;
  /** Records that ended on purpose, those that ended in its join included. */
  readonly skipped: number;
  /** How many of those by reason; the 65th reason and later ones share 'other reasons'. */
  readonly skipReasons: Readonly<Record<string, number>>;
  /** Records that were given up, those that ended in its join included. */
  readonly deadLettered: number;
  /** Records that failed, whatever the policy made of them. */
  readonly failed: number;
  /** Attempts beyond the first of each record. */
  readonly retried: number;
  /** Batches it emitted. */
  readonly batches: number;
  /** From the first record's start to the last one's end. */
  readonly elapsedMs: number;
  /** Records taken in, by `elapsedMs`; 0 where no time passed. */
  readonly recordsPerSecond: number;
  /** From the start of a record to its end, retries included. */
  readonly latencyMs: LatencyFigures;
  /** Of a task that calls an upstream. */
  readonly calls?: CallsSummary;
  /** From the arrival of a record to its start. */
  readonly queueMs: LatencyFigures;
  /** What the time of the run went to. */
  readonly shares: TimeShares;
  /** Of what the task could have done, how much it did, 0 to 1. */
  readonly load: number;
}

/** The peaks and totals of the process while the run was on. */
export interface ResourcePeaks {
  /** The most resident memory of the process, since it started. */
  readonly rssBytes: number;
  /** The most heap at a look, once a second; absent where nobody watched the run. */
  readonly heapUsedBytes?: number;
  /** The longest delay of the event loop; absent where nobody watched the run. */
  readonly eventLoopDelayMs?: number;
  /** How much of the time the event loop was busy, 0 to 1. */
  readonly eventLoopUtilization: number;
  /** Processor time, in milliseconds: all threads of the process. */
  readonly cpuMs: number;
  /** Collections and the time they took; absent where nobody watched the run. */
  readonly gc?: { readonly count: number; readonly ms: number };
}
