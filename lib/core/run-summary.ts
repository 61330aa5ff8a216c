/** What a run was, in numbers: plain data, the same whether it was read in code, told as an event or written to a file. */
import type { CallsSummary } from './call-event.js';
import type { ExecutorStats } from './executor.js';
import type { LatencyFigures, Bottleneck, SlowRecord, TimeShares } from './metrics.js';
import type { RunOutcome } from './ports.js';

/** Durations in milliseconds, times in milliseconds since 1970. */
export interface RunSummary {
  readonly runId: string;
  readonly workflow: string;
  readonly description: string;
  readonly outcome: RunOutcome;
  readonly error?: { readonly code: string; readonly message: string };
  readonly startedAt: number;
  readonly endedAt: number;
  readonly elapsedMs: number;
  readonly skipped: number;
  readonly deadLettered: number;
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

export interface TaskSummary {
  readonly kind: string;
  readonly dependencies: readonly string[];
  readonly status: RunOutcome | 'not-started';
  readonly in: number;
  readonly out: number;
  readonly skipped: number;
  readonly skipReasons: Readonly<Record<string, number>>;
  readonly deadLettered: number;
  /** Records that failed, whatever the policy made of them. */
  readonly failed: number;
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
