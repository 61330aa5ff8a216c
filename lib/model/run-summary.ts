/** The summary of a run in numbers: plain data, the same in code, in events and in files. */
import type { CallsSummary } from './call-event.js';
import type { ExecutorStats } from './thread-stats.js';
import type { MemoCounts } from './memo.js';
import type { LatencyFigures, Bottleneck, SlowRecord, TimeShares } from './metrics.js';
import type { RunOutcome } from './ports.js';
import { entry } from '../text/entry.js';
import { countsOfWhole, type GroupedTask } from './sub-workflows.js';

/** Durations in milliseconds, times in milliseconds since 1970. */
export interface RunSummary {
  /** The same in every incarnation of a resumed run. */
  readonly runId: string;
  /** The name of the workflow. */
  readonly workflow: string;
  /** The description of the workflow; '' if it has none. */
  readonly description: string;
  /** How it ended; a `RunFailedError` carries a summary with 'failed'. */
  readonly outcome: RunOutcome;
  /** Present if the outcome is 'failed'. */
  readonly error?: { readonly code: string; readonly message: string };
  /** When this incarnation of the run began. */
  readonly startedAt: number;
  /** When the summary was made, after everything was closed. */
  readonly endedAt: number;
  /** From `startedAt` to `endedAt`, opening and closing included. */
  readonly elapsedMs: number;
  /** Skipped records of all tasks. */
  readonly skipped: number;
  /** Dead letters of all tasks in this incarnation of the run. */
  readonly deadLettered: number;
  /** Dead letters from earlier incarnations that are still valid; absent if there are none. */
  readonly lettersBefore?: number;
  /** One entry per task, by name. */
  readonly tasks: Readonly<Record<string, TaskSummary>>;
  /** The task that kept the run from being faster; absent if no task was under load. */
  readonly bottleneck?: Bottleneck;
  /** The slowest timed records, slowest first. */
  readonly slowest: readonly SlowRecord[];
  /** Figures of the process; absent in virtual time. */
  readonly resources?: ResourcePeaks;
  /** Figures of the threads; absent if the run had none. */
  readonly threads?: ExecutorStats;
}

/** The summary of one task; its counts are those of this incarnation of the run. */
export interface TaskSummary {
  /** 'source', 'sync', 'request' and so on; 'custom' for a task without a kind of its own. */
  readonly kind: string;
  /** The names of the tasks that it depends on. */
  readonly dependencies: readonly string[];
  /**
   * The outcome of the run, or 'not-started' if no record reached the task in a run that did not complete. In a
   * workflow with rules: the outcome of the phase of the task, or 'skipped' if its rule was not met.
   */
  readonly status: RunOutcome | 'not-started' | 'skipped';
  /** Why the task did not run; present if the status is 'skipped'. */
  readonly reason?: string;
  /** Records that came in; for a source, records that were born. */
  readonly in: number;
  /** Records that came out; for a boundary, those of its new root. */
  readonly out: number;
  /**
   * Of these, the records that left by a named output, by its name; absent if the task has no named output that is
   * read.
   */
  readonly outputs?: Readonly<Record<string, number>>;
  /** Records that ended on purpose, including those that ended in the join of the task. */
  readonly skipped: number;
  /** Skipped records by reason; all reasons after the 64th share 'other reasons'. */
  readonly skipReasons: Readonly<Record<string, number>>;
  /** Records that were given up, including those that ended in the join of the task. */
  readonly deadLettered: number;
  /** Records that failed, whatever the policy did with them. */
  readonly failed: number;
  /** Attempts beyond the first of each record, or of each iteration. */
  readonly retried: number;
  /** Iterations that have ended, for a task that iterates; absent otherwise. */
  readonly iterations?: number;
  /** Batches that the task emitted. */
  readonly batches: number;
  /** How many outputs were remembered; absent if the task has no `memo`. */
  readonly memo?: MemoCounts;
  /** From the start of the first record to the end of the last one. */
  readonly elapsedMs: number;
  /** Incoming records per second of `elapsedMs`; 0 if no time passed. */
  readonly recordsPerSecond: number;
  /** From the start of a record to its end, retries included. */
  readonly latencyMs: LatencyFigures;
  /** Totals of the calls, for a task that calls an upstream. */
  readonly calls?: CallsSummary;
  /** From the arrival of a record to its start. */
  readonly queueMs: LatencyFigures;
  /** How the time of the run divides into busy, waiting and blocked. */
  readonly shares: TimeShares;
  /** How much of its capacity the task used, 0 to 1. */
  readonly load: number;
  /** For the end of a sub-workflow: the counts of the sub-workflow as a whole; absent otherwise. */
  readonly whole?: WholeSummary;
}

/** The counts of a sub-workflow. */
export interface WholeSummary {
  /** The names of its tasks but its end. The first one is the task at which its records come in. */
  readonly members: readonly string[];
  /** Records that came in. */
  readonly in: number;
  /** Records that came out. */
  readonly out: number;
  /** Skipped records of all its tasks. */
  readonly skipped: number;
  /** Dead letters of all its tasks. */
  readonly deadLettered: number;
  /** Failed records of all its tasks. */
  readonly failed: number;
  /** Attempts beyond the first, of all its tasks. */
  readonly retried: number;
}

/** The tasks, of which the ends of sub-workflows have the counts of the whole. */
export function withWholes(
  tasks: Readonly<Record<string, TaskSummary>>,
  graph: readonly GroupedTask[],
): Readonly<Record<string, TaskSummary>> {
  const ends = new Map<string, GroupedTask>();
  for (const task of graph) if (task.members !== undefined) ends.set(task.name, task);
  if (ends.size === 0) return tasks;
  return Object.fromEntries(
    Object.entries(tasks).map(([name, task]) => {
      const end = ends.get(name);
      if (end === undefined) return [name, task];
      const counts = countsOfWhole(end, ['skipped', 'deadLettered', 'failed', 'retried'], (one) => entry(tasks, one));
      return [name, { ...task, whole: { members: end.members ?? [], ...counts } }];
    }),
  );
}

/** The peaks and totals of the process during the run. */
export interface ResourcePeaks {
  /** The highest resident memory since the process started. */
  readonly rssBytes: number;
  /** The largest heap among samples taken once a second; absent if the run had no observer. */
  readonly heapUsedBytes?: number;
  /** The longest delay of the event loop; absent if the run had no observer. */
  readonly eventLoopDelayMs?: number;
  /** The share of the time in which the event loop was busy, 0 to 1. */
  readonly eventLoopUtilization: number;
  /** Processor time of all threads of the process, in milliseconds. */
  readonly cpuMs: number;
  /** Garbage collections and the time they took; absent if the run had no observer. */
  readonly gc?: { readonly count: number; readonly ms: number };
}
