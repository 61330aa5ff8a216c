/**
 * The performance summary of a run as a JSON file, with the keys that users of the earlier Python tool read.
 * Promise: the file is whole or not there: it is written under another name and renamed.
 */
import { open, rename, rm } from 'node:fs/promises';
import { MillraceError, describeThrown } from '../core/errors.js';

/** What is summarised; the summary of a run has all of it. Durations in milliseconds, times since 1970. */
export interface SummarizedRun {
  readonly runId: string;
  readonly workflow: string;
  readonly description: string;
  readonly outcome: string;
  readonly error?: { readonly code: string; readonly message: string };
  readonly endedAt: number;
  readonly elapsedMs: number;
  readonly skipped: number;
  readonly deadLettered: number;
  readonly tasks: Readonly<Record<string, SummarizedTask>>;
}

export interface SummarizedTask {
  readonly status: string;
  readonly in: number;
  readonly out: number;
  readonly skipped: number;
  readonly skipReasons: Readonly<Record<string, number>>;
  readonly deadLettered: number;
  readonly failed: number;
  readonly retried: number;
  readonly elapsedMs: number;
  readonly recordsPerSecond: number;
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number; readonly max: number };
}

/** The summary as it is written. Memory is the peak of the whole process. */
export function performanceSummary(run: SummarizedRun): object {
  const tasks = Object.entries(run.tasks).map(([name, task]) => [
    name,
    {
      status: task.status,
      'execution_time (sec)': task.elapsedMs / 1000,
      processed_item_count: task.in,
      item_failure_count: task.failed,
      'throughput (item/sec)': task.recordsPerSecond,
      output_item_count: task.out,
      skipped_item_count: task.skipped,
      skip_reasons: task.skipReasons,
      dead_letter_count: task.deadLettered,
      retry_count: task.retried,
      latency_ms: task.latencyMs,
    },
  ]);
  return {
    name: run.workflow,
    description: run.description,
    tasks: Object.fromEntries(tasks) as object,
    'total_execution_time (sec)': run.elapsedMs / 1000,
    UTC_time_of_completion: new Date(run.endedAt).toISOString(),
    run_id: run.runId,
    outcome: run.outcome,
    ...(run.error === undefined ? {} : { error: run.error }),
    skipped_item_count: run.skipped,
    dead_letter_count: run.deadLettered,
    peak_memory_mb: Math.round((process.resourceUsage().maxRSS / 1024) * 10) / 10,
  };
}

/** Writes the summary, replacing an earlier one. Throws MILLRACE_FILE where it cannot. */
export async function writePerformanceSummary(path: string, run: SummarizedRun): Promise<void> {
  const temporary = `${path}.${run.runId}.tmp`;
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(`${JSON.stringify(performanceSummary(run), null, 2)}\n`);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    // Where the folder is missing or the path goes through a file there is nothing to remove, and that fails as well.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new MillraceError(
      'MILLRACE_FILE',
      `Cannot write the performance summary to ${path}: ${describeThrown(error)}. Check that its folder exists and may be written`,
      {
        cause: error,
      },
    );
  }
}
