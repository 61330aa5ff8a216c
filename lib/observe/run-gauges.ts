/**
 * The metrics of a run for Prometheus, updated by its events.
 *
 * Guarantees: memory depends on the number of tasks, edges and upstreams, not on the length of the run; the figures are
 * at most as old as the last `progress` event.
 */
import { LATENCY_BOUNDS_MS } from '../measure/histogram.js';
import type { MeasureEvent, RunEvent } from '../model/events.js';
import type { MemoCounts } from '../model/memo.js';
import type { LatencyProgress, TaskProgress } from '../model/metrics.js';
import { PrometheusText, type HistogramSample, type Labels } from './prometheus-text.js';

type Progress = Extract<MeasureEvent, { type: 'progress' }>;
type Resources = Extract<MeasureEvent, { type: 'resources' }>;

interface Upstream {
  isOpen: number;
  throttled: number;
  limit: number | undefined;
}

const COUNTERS: readonly (readonly [string, string, (task: TaskProgress) => number])[] = [
  ['millrace_records_in_total', 'Records a task received.', (task) => task.in],
  ['millrace_records_out_total', 'Records a task emitted.', (task) => task.out],
  ['millrace_records_skipped_total', 'Records that ended on purpose.', (task) => task.skipped],
  ['millrace_records_dead_lettered_total', 'Records given up and kept as dead letters.', (task) => task.deadLettered],
  ['millrace_records_failed_total', 'Records that failed, under every failure policy.', (task) => task.failed],
  ['millrace_retries_total', 'Attempts beyond the first.', (task) => task.retried],
  ['millrace_batches_total', 'Batches a task emitted.', (task) => task.batches],
];

/** Of tasks with a memo. */
const MEMO_COUNTERS: readonly (readonly [string, string, (memo: MemoCounts) => number])[] = [
  ['millrace_memo_hits_total', 'Records whose output was remembered.', (memo) => memo.hits],
  ['millrace_memo_misses_total', 'Records whose output was not remembered.', (memo) => memo.misses],
];

const GAUGES: readonly (readonly [string, string, (task: TaskProgress) => number])[] = [
  ['millrace_records_in_flight', 'Records a task holds.', (task) => task.inFlight],
  ['millrace_records_queued', 'Records that wait for their start.', (task) => task.held.queued],
  ['millrace_records_running', 'Records in work.', (task) => task.held.running],
  ['millrace_task_busy_ratio', 'Share of the time in which a task worked.', (task) => task.shares.busy],
  ['millrace_task_waiting_ratio', 'Share of the time in which a task held nothing.', (task) => task.shares.waiting],
  [
    'millrace_task_blocked_ratio',
    'Share of the time in which a task could not continue.',
    (task) => task.shares.blocked,
  ],
  ['millrace_task_load_ratio', 'Share of its capacity that a task used.', (task) => task.load],
];

export class RunGauges {
  private workflow = '';
  private runId = '';
  private isOver = false;
  private progress: Progress | undefined;
  private resources: Resources | undefined;
  private readonly gc = { count: 0, ms: 0 };
  private readonly upstreams = new Map<string, { readonly labels: Labels; readonly state: Upstream }>();

  record(event: RunEvent): void {
    switch (event.type) {
      case 'run-started':
        this.workflow = event.workflow;
        this.runId = event.runId;
        this.reset();
        return;
      case 'progress':
        this.progress = event;
        return;
      case 'resources':
        this.resources = event;
        this.gc.count += event.process.gc.count;
        this.gc.ms += event.process.gc.ms;
        return;
      case 'circuit':
        this.upstream(event).isOpen = event.state === 'open' ? 1 : 0;
        return;
      case 'throttled':
        this.upstream(event).throttled++;
        return;
      case 'concurrency':
        this.upstream(event).limit = event.limit;
        return;
      case 'run-ended':
        this.isOver = true;
        return;
      default:
    }
  }

  text(): string {
    const text = new PrometheusText();
    const workflow = { workflow: this.workflow };
    if (this.runId !== '') {
      text.add(
        'millrace_run_info',
        'gauge',
        'The run; 1 until it ends.',
        { ...workflow, run: this.runId },
        this.isOver ? 0 : 1,
      );
    }
    if (this.progress !== undefined) this.addTasks(text, workflow, this.progress);
    for (const { labels, state } of this.upstreams.values()) {
      const all = { ...workflow, ...labels };
      text.add('millrace_circuit_open', 'gauge', 'Whether the circuit breaker of a task is open.', all, state.isOpen);
      text.add('millrace_throttled_total', 'counter', 'Times an upstream asked for fewer calls.', all, state.throttled);
      if (state.limit === undefined) continue;
      text.add('millrace_concurrency_limit', 'gauge', 'The limit that adaptive concurrency chose.', all, state.limit);
    }
    if (this.resources !== undefined) this.addResources(text, workflow, this.resources);
    return text.toString();
  }

  /** A server of metrics may observe one run after another. */
  private reset(): void {
    this.isOver = false;
    this.progress = this.resources = undefined;
    this.gc.count = this.gc.ms = 0;
    this.upstreams.clear();
  }

  private addTasks(
    text: PrometheusText,
    workflow: Labels,
    { tasks, edges, roots, bottleneck, elapsedMs }: Progress,
  ): void {
    text.add('millrace_run_elapsed_seconds', 'gauge', 'Time since the run started.', workflow, elapsedMs / 1000);
    for (const [task, figures] of Object.entries(tasks)) {
      const labels = { ...workflow, task };
      for (const [name, help, of] of COUNTERS) text.add(name, 'counter', help, labels, of(figures));
      const { memo } = figures;
      if (memo !== undefined) {
        for (const [name, help, of] of MEMO_COUNTERS) text.add(name, 'counter', help, labels, of(memo));
      }
      for (const [name, help, of] of GAUGES) text.add(name, 'gauge', help, labels, of(figures));
      const isBottleneck = bottleneck?.task === task ? 1 : 0;
      text.add('millrace_task_bottleneck', 'gauge', 'Whether a task limits the run.', labels, isBottleneck);
      const { queue, service } = figures.latencyMs;
      text.histogram(
        'millrace_queue_seconds',
        'Time from arrival to start, for the records timed.',
        labels,
        inSeconds(queue),
      );
      text.histogram(
        'millrace_service_seconds',
        'Time from start to end including retries, for the records timed.',
        labels,
        inSeconds(service),
      );
    }
    for (const { from, to, records, waiting } of edges) {
      const labels = { ...workflow, from, to };
      text.add('millrace_edge_records_total', 'counter', 'Records handed over.', labels, records);
      text.add('millrace_edge_waiting_records', 'gauge', 'Records that wait for partners in a join.', labels, waiting);
    }
    for (const [root, { inFlight, window }] of Object.entries(roots)) {
      const labels = { ...workflow, root };
      text.add(
        'millrace_root_in_flight',
        'gauge',
        'Lineages of a root that are born and not settled.',
        labels,
        inFlight,
      );
      text.add('millrace_root_window', 'gauge', 'The most lineages of a root in flight.', labels, window);
    }
  }

  private addResources(text: PrometheusText, workflow: Labels, { process, pool }: Resources): void {
    const { rssBytes, heapUsedBytes, heapTotalBytes, externalBytes, cpuShare, eventLoop } = process;
    const gauge = (name: string, help: string, value: number): void => {
      text.add(name, 'gauge', help, workflow, value);
    };
    gauge('millrace_process_resident_memory_bytes', 'Resident memory of the process.', rssBytes);
    gauge('millrace_process_heap_used_bytes', 'Heap in use.', heapUsedBytes);
    gauge('millrace_process_heap_total_bytes', 'Heap reserved.', heapTotalBytes);
    gauge('millrace_process_external_bytes', 'Memory of buffers outside of the heap.', externalBytes);
    gauge('millrace_process_cpu_ratio', 'Processor time per elapsed time; 1 is one core.', cpuShare);
    gauge(
      'millrace_event_loop_utilization_ratio',
      'Share of the time in which the event loop worked.',
      eventLoop.utilization,
    );
    // The label `quantile` is reserved for summaries.
    for (const [percentile, ms] of [
      ['50', eventLoop.delayMs.p50],
      ['99', eventLoop.delayMs.p99],
      ['100', eventLoop.delayMs.max],
    ] as const) {
      text.add(
        'millrace_event_loop_delay_seconds',
        'gauge',
        'Delay of the event loop in the last second.',
        { ...workflow, percentile },
        ms / 1000,
      );
    }
    text.add('millrace_gc_runs_total', 'counter', 'Garbage collections.', workflow, this.gc.count);
    text.add('millrace_gc_seconds_total', 'counter', 'Time of garbage collections.', workflow, this.gc.ms / 1000);
    if (pool === undefined) return;
    gauge('millrace_pool_queued_records', 'Records that wait for a thread.', pool.queued);
    text.add(
      'millrace_threads_replaced_total',
      'counter',
      'Threads that died or were stopped.',
      workflow,
      pool.replaced,
    );
    const busyMs = new Map<number, number>();
    // A thread and its replacement count as one slot. Otherwise the counter would go back to zero.
    for (const thread of pool.threads) busyMs.set(thread.thread, (busyMs.get(thread.thread) ?? 0) + thread.busyMs);
    for (const [thread, ms] of busyMs) {
      const labels = { ...workflow, thread: String(thread) };
      text.add('millrace_thread_busy_seconds_total', 'counter', 'Time a thread worked on records.', labels, ms / 1000);
    }
  }

  private upstream({ task, upstream }: { readonly task: string; readonly upstream: string }): Upstream {
    const key = JSON.stringify([task, upstream]);
    const found = this.upstreams.get(key) ?? {
      labels: { task, upstream },
      state: { isOpen: 0, throttled: 0, limit: undefined },
    };
    this.upstreams.set(key, found);
    return found.state;
  }
}

function inSeconds({ buckets, count, sumMs }: LatencyProgress): HistogramSample {
  return { bounds: LATENCY_BOUNDS_MS.map((ms) => ms / 1000), counts: buckets, count, sum: sumMs / 1000 };
}
