/** The summary file: its keys are read by scripts that were written for an earlier tool. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '#lib/runtime/definition/workflow.js';
import { RunFailedError } from '#lib/runtime/run/run.js';
import type { RunSummary } from '#lib/model/run-summary.js';
import { skip } from '#lib/model/record.js';
import { sourceTask } from '#lib/tasks/source-task.js';
import { syncTask } from '#lib/tasks/sync-task.js';
import { performanceSummary, writePerformanceSummary } from '#lib/observe/performance-summary.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-summary-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function invert(onFailure: 'dead-letter' | 'fail'): Promise<RunSummary> {
  const Invert = defineWorkflow({
    name: 'Invert',
    description: 'One by each number',
    build: (flow) =>
      flow.task('Numbers', sourceTask([1, 0, 2, -1])).task(
        'Invert',
        ['Numbers'],
        syncTask(
          (n: number) => {
            if (n === 0) throw new Error('zero');
            return n < 0 ? skip('negative') : 1 / n;
          },
          { onFailure },
        ),
      ),
  });
  return Invert.run().finished;
}

describe('the performance summary', () => {
  it('has exactly the keys of the earlier tool and those that are documented beside them', async () => {
    const slow = { task: 'Invert', root: 'Numbers', lineage: 2, ms: 7 };
    const ended = await invert('dead-letter');
    const summary = { ...ended, bottleneck: { task: 'Invert', load: 0.9 }, slowest: [{ ...slow, at: 1 }] };
    const path = join(folder, 'summary.json');
    await writeFile(path, 'an earlier one');
    await writePerformanceSummary(path, summary);
    const numbers: unknown = expect.any(Number);
    const latency_ms = { p50: numbers, p95: numbers, p99: numbers, max: numbers };
    const common = {
      status: 'completed',
      'execution_time (sec)': numbers,
      'throughput (item/sec)': numbers,
      latency_ms,
      queue_ms: latency_ms,
      batch_count: numbers,
      busy_share: numbers,
      waiting_share: numbers,
      blocked_share: numbers,
      load: numbers,
    };
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      name: 'Invert',
      description: 'One by each number',
      tasks: {
        Numbers: {
          ...common,
          processed_item_count: 4,
          output_item_count: 4,
          item_failure_count: 0,
          skipped_item_count: 0,
          skip_reasons: {},
          dead_letter_count: 0,
          retry_count: 0,
        },
        Invert: {
          ...common,
          processed_item_count: 4,
          output_item_count: 2,
          item_failure_count: 1,
          skipped_item_count: 1,
          skip_reasons: { negative: 1 },
          dead_letter_count: 1,
          retry_count: 0,
        },
      },
      'total_execution_time (sec)': summary.elapsedMs / 1000,
      UTC_time_of_completion: new Date(summary.endedAt).toISOString(),
      run_id: summary.runId,
      outcome: 'completed',
      skipped_item_count: 1,
      dead_letter_count: 1,
      peak_memory_mb: numbers,
      bottleneck: { task: 'Invert', load: 0.9 },
      slowest_records: [slow],
      resources: { 'cpu_time (sec)': numbers, event_loop_utilization: numbers },
    });
    expect(await readdir(folder)).toEqual(['summary.json']);
    for (const task of Object.values(summary.tasks)) {
      const { busy, waiting, blocked } = task.shares;
      expect(busy + waiting + blocked).toBeCloseTo(1, 2);
    }
  });

  it('names the error of a run that failed', async () => {
    const failure: unknown = await invert('fail').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RunFailedError);
    expect(performanceSummary((failure as RunFailedError).summary)).toMatchObject({
      outcome: 'failed',
      error: { code: 'MILLRACE_TASK', message: expect.stringContaining('zero') },
    });
  });

  it('that cannot be written says which file and why, and leaves nothing behind', async () => {
    const summary = await invert('dead-letter');
    const before = await readdir(folder);
    for (const path of [join(folder, 'nowhere', 's.json'), join(folder, 'summary.json', 's.json'), folder]) {
      await expect(writePerformanceSummary(path, summary)).rejects.toMatchObject({
        code: 'MILLRACE_FILE',
        message: expect.stringContaining(`Cannot write the performance summary to ${path}: `),
      });
    }
    expect(await readdir(folder)).toEqual(before);
  });
});
