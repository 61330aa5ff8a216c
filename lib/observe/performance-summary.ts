/**
 * Writes the performance summary of a run as a JSON file, with the keys that users of the earlier Python tool read.
 *
 * Guarantees: the file is complete or absent, because it is written under a temporary name and then renamed.
 */
import { open, rename, rm } from 'node:fs/promises';
import { MillraceError, describeThrown } from '../model/errors.js';
import type { ResourcePeaks, RunSummary } from '../model/run-summary.js';

const BYTES_PER_MB = 2 ** 20;

/** The content of the file. `peak_memory_mb` is the peak of the whole process. */
export function performanceSummary(run: RunSummary): object {
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
      queue_ms: task.queueMs,
      batch_count: task.batches,
      busy_share: task.shares.busy,
      waiting_share: task.shares.waiting,
      blocked_share: task.shares.blocked,
      load: task.load,
      ...(task.calls === undefined ? {} : { calls: task.calls }),
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
    dead_letter_count: run.deadLettered + (run.lettersBefore ?? 0),
    peak_memory_mb: megabytes(process.resourceUsage().maxRSS * 1024),
    ...(run.bottleneck === undefined ? {} : { bottleneck: run.bottleneck }),
    slowest_records: run.slowest.map(({ task, root, partition, lineage, ms }) => ({
      task,
      root,
      ...(partition !== undefined && { partition }),
      lineage,
      ms,
    })),
    ...(run.resources === undefined ? {} : { resources: resourcesOf(run.resources) }),
  };
}

function resourcesOf({ heapUsedBytes, eventLoopDelayMs, eventLoopUtilization, cpuMs, gc }: ResourcePeaks): object {
  return {
    'cpu_time (sec)': cpuMs / 1000,
    event_loop_utilization: eventLoopUtilization,
    // These figures exist only if the events of the run had a subscriber.
    ...(heapUsedBytes === undefined ? {} : { peak_heap_mb: megabytes(heapUsedBytes) }),
    ...(eventLoopDelayMs === undefined ? {} : { max_event_loop_delay_ms: eventLoopDelayMs }),
    ...(gc === undefined ? {} : { gc_count: gc.count, 'gc_time (sec)': gc.ms / 1000 }),
  };
}

function megabytes(bytes: number): number {
  return Math.round((bytes / BYTES_PER_MB) * 10) / 10;
}

/** Writes the summary and replaces an earlier one. Throws MILLRACE_FILE if the file cannot be written. */
export async function writePerformanceSummary(path: string, run: RunSummary): Promise<void> {
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
    // If the folder is missing or the path goes through a file, there is nothing to remove and `rm` fails as well.
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
