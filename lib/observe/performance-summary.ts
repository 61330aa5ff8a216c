/**
 * Writes the performance summary of a run as a JSON file, with the keys that users of the earlier Python tool read.
 *
 * Guarantees: the file is complete or absent, because it is written under a temporary name and then renamed. A link is
 * followed to the file that it names. A device, a pipe, and a file that no rename can replace (a mount) are written to.
 */
import { open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { MillraceError, describeThrown } from '../model/errors.js';
import { checkOptions, flag, type OptionRules } from '../options/options.js';
import type { ResourcePeaks, RunSummary, WholeSummary } from '../model/run-summary.js';

const BYTES_PER_MB = 2 ** 20;

/** Options of `writePerformanceSummary`. */
export interface PerformanceSummaryOptions {
  /**
   * Writes the status of a task as the earlier Python tool did: `Success` for a completed or skipped task, otherwise
   * `Failed`. Default false: `completed`, `failed`, `drained`, `cancelled`, `skipped` or `not-started`.
   */
  readonly legacyStatus?: boolean;
}

const RULES: OptionRules<PerformanceSummaryOptions> = { legacyStatus: flag };

/** The content of the file. `peak_memory_mb` is the peak of the whole process. */
export function performanceSummary(run: RunSummary, { legacyStatus = false }: PerformanceSummaryOptions = {}): object {
  const statusOf = (status: string): string =>
    legacyStatus ? (status === 'completed' || status === 'skipped' ? 'Success' : 'Failed') : status;
  const tasks = Object.entries(run.tasks).map(([name, task]) => [
    name,
    {
      status: statusOf(task.status),
      'execution_time (sec)': task.elapsedMs / 1000,
      processed_item_count: task.in,
      item_failure_count: task.failed,
      'throughput (item/sec)': task.recordsPerSecond,
      output_item_count: task.out,
      skipped_item_count: task.skipped,
      skip_reasons: task.skipReasons,
      dead_letter_count: task.deadLettered,
      retry_count: task.retried,
      ...(task.iterations === undefined ? {} : { iteration_count: task.iterations }),
      latency_ms: task.latencyMs,
      queue_ms: task.queueMs,
      batch_count: task.batches,
      busy_share: task.shares.busy,
      waiting_share: task.shares.waiting,
      blocked_share: task.shares.blocked,
      load: task.load,
      ...(task.memo === undefined ? {} : { memo: task.memo }),
      ...(task.calls === undefined ? {} : { calls: task.calls }),
      ...(task.whole === undefined ? {} : { whole: wholeFigures(task.whole) }),
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

/** The counts of a sub-workflow, under the names of those of a task. */
function wholeFigures({ members, ...counts }: WholeSummary): object {
  return {
    tasks: members,
    processed_item_count: counts.in,
    output_item_count: counts.out,
    skipped_item_count: counts.skipped,
    dead_letter_count: counts.deadLettered,
    item_failure_count: counts.failed,
    retry_count: counts.retried,
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

/**
 * Writes the summary and replaces an earlier one. Throws MILLRACE_FILE if the file cannot be written, and
 * MILLRACE_INVALID_OPTION for an option that does not fit.
 */
export async function writePerformanceSummary(
  path: string,
  run: RunSummary,
  options: PerformanceSummaryOptions = {},
): Promise<void> {
  checkOptions('a performance summary', options, RULES);
  const text = `${JSON.stringify(performanceSummary(run, options), null, 2)}\n`;
  const end = await realpath(path).catch(() => path);
  const temporary = `${end}.${run.runId}.tmp`;
  try {
    const facts = await stat(path).catch(() => undefined);
    if (facts !== undefined && !facts.isFile() && !facts.isDirectory()) {
      await writeFile(path, text);
      return;
    }
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    await rename(temporary, end).catch(async (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
      await writeFile(end, text);
      await rm(temporary);
    });
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
