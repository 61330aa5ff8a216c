/**
 * The totals of a lane, in numbers that can be added over its incarnations and over all lanes of a run.
 *
 * Guarantees: the sum does not depend on the order. Tasks that stand in the place of a topic are left out. A record
 * that ended in the join in front of a topic is counted for the task behind the topic, as in one process.
 */
import { LATENCY_BOUNDS_MS } from '../measure/histogram.js';
import type { CallsSummary } from '../model/call-event.js';
import type { MeasureEvent } from '../model/events.js';
import type { LatencyFigures, LatencyProgress, RootFigures, SlowRecord, TaskCounts } from '../model/metrics.js';
import type { MemoCounts } from '../model/memo.js';
import type { RunSummary } from '../model/run-summary.js';
import type { Stage } from './stages.js';

/** The totals of one task. Durations in milliseconds. */
export interface TaskTally extends TaskCounts {
  readonly outputs: Readonly<Record<string, number>>;
  /** Skipped records by reason. The reasons of the last records of a worker that died are not known. */
  readonly skipReasons: Readonly<Record<string, number>>;
  readonly failed: number;
  readonly retried: number;
  readonly batches: number;
  readonly memo?: MemoCounts;
  readonly queued: number;
  readonly running: number;
  readonly waiting: number;
  /** Finished records per second at the moment. */
  readonly perSecond: number;
  /** The time from the first record of a lane to its last one; the maximum of all lanes. */
  readonly elapsedMs: number;
  /** Sums over the lanes: time busy, time blocked, running time, and load multiplied by running time. */
  readonly busyMs: number;
  readonly blockedMs: number;
  readonly ranMs: number;
  readonly loadMs: number;
  readonly queueing: LatencyProgress;
  readonly service: LatencyProgress;
  /** The share of its input that a source has read, if the source knows it. */
  readonly readShare?: number;
  readonly calls?: CallsSummary;
}

/** The totals of one lane or of several lanes. */
export interface LaneTally {
  readonly tasks: Readonly<Record<string, TaskTally>>;
  readonly roots: Readonly<Record<string, RootFigures>>;
  readonly slowest: readonly SlowRecord[];
}

export type Progress = Extract<MeasureEvent, { type: 'progress' }>;

const MOST_SLOW = 20;
const OTHER_REASONS = 'other reasons';
const NO_LATENCY: LatencyProgress = {
  ...{ p50: 0, p95: 0, p99: 0, max: 0, count: 0, sumMs: 0 },
  buckets: LATENCY_BOUNDS_MS.map(() => 0),
};
export const NOTHING: TaskTally = {
  ...{ in: 0, out: 0, skipped: 0, deadLettered: 0, inFlight: 0, outputs: {}, skipReasons: {} },
  ...{ failed: 0, retried: 0, batches: 0, queued: 0, running: 0, waiting: 0, perSecond: 0, elapsedMs: 0 },
  ...{ busyMs: 0, blockedMs: 0, ranMs: 0, loadMs: 0, queueing: NO_LATENCY, service: NO_LATENCY },
};
export const EMPTY: LaneTally = { tasks: {}, roots: {}, slowest: [] };

/** The totals of a lane, including its current incarnation. */
export class TallyOfRun {
  private readonly stage: Pick<Stage, 'tasks' | 'outputs'>;
  private readonly before: LaneTally;
  private progress: Progress | undefined;
  private summary: RunSummary | undefined;

  /** @param before the totals of the earlier incarnations. */
  constructor(stage: Pick<Stage, 'tasks' | 'outputs'>, before: LaneTally | undefined) {
    this.stage = stage;
    this.before = before ?? EMPTY;
  }

  accept(progress: Progress): void {
    this.progress = progress;
  }

  end(summary: RunSummary): void {
    this.summary = summary;
  }

  /** The totals of all incarnations. @param counts the counts of the run of this incarnation. */
  total(counts: Readonly<Record<string, TaskCounts>>): LaneTally {
    const { stage, progress, summary } = this;
    const tasks = new Map<string, TaskTally>();
    for (const name of stage.tasks) {
      const own = counts[name];
      if (own !== undefined) tasks.set(name, tallyOf(name, own, progress, summary));
    }
    const inJoins = new Map<string, TaskTally>();
    for (const { writer, to } of stage.outputs) {
      const own = counts[writer];
      if (own === undefined || own.skipped + own.deadLettered === 0) continue;
      const { skipped, deadLettered } = own;
      const skipReasons = summary?.tasks[writer]?.skipReasons ?? {};
      const failed = progress?.tasks[writer]?.failed ?? deadLettered;
      inJoins.set(to, sumOfTasks(inJoins.get(to), { ...NOTHING, skipped, deadLettered, skipReasons, failed }));
    }
    const roots = Object.entries(progress?.roots ?? {}).filter(([root]) => stage.tasks.includes(root));
    const slowest = (summary?.slowest ?? []).filter(({ task }) => stage.tasks.includes(task));
    return sumOfTallies([
      this.before,
      { tasks: Object.fromEntries(tasks), roots: Object.fromEntries(roots), slowest },
      { ...EMPTY, tasks: Object.fromEntries(inJoins) },
    ]);
  }
}

/** The totals of several lanes, or of several incarnations of one. */
export function sumOfTallies(tallies: Iterable<LaneTally>): LaneTally {
  const tasks = new Map<string, TaskTally>();
  const roots = new Map<string, RootFigures>();
  const slowest: SlowRecord[] = [];
  for (const tally of tallies) {
    for (const [name, own] of Object.entries(tally.tasks)) tasks.set(name, sumOfTasks(tasks.get(name), own));
    for (const [name, own] of Object.entries(tally.roots)) roots.set(name, sumOfRoots(roots.get(name), own));
    slowest.push(...tally.slowest);
  }
  slowest.sort((a, b) => b.ms - a.ms);
  return {
    tasks: Object.fromEntries(tasks),
    roots: Object.fromEntries(roots),
    slowest: slowest.slice(0, MOST_SLOW),
  };
}

/** The reasons, with unknown reasons added, so that the counts add up to the number of skipped records. */
export function completeReasons({ skipped, skipReasons }: TaskTally): Readonly<Record<string, number>> {
  const known = Object.values(skipReasons).reduce((sum, count) => sum + count, 0);
  if (known >= skipped) return skipReasons;
  return { ...skipReasons, [OTHER_REASONS]: (skipReasons[OTHER_REASONS] ?? 0) + skipped - known };
}

function tallyOf(
  name: string,
  counts: TaskCounts,
  progress: Progress | undefined,
  summary: RunSummary | undefined,
): TaskTally {
  const measured = progress?.tasks[name];
  const end = summary?.tasks[name];
  const ranMs = progress?.elapsedMs ?? 0;
  const shares = end?.shares ?? measured?.shares;
  const isOver = summary !== undefined;
  const memo = end?.memo ?? measured?.memo;
  // The summary of a task includes the records that ended in the join in front of it. Its counts do not.
  const { skipped = counts.skipped, deadLettered = counts.deadLettered } = end ?? {};
  return {
    ...counts,
    ...{ skipped, deadLettered, inFlight: isOver ? 0 : counts.inFlight },
    outputs: end?.outputs ?? {},
    skipReasons: end?.skipReasons ?? {},
    failed: end?.failed ?? measured?.failed ?? 0,
    retried: end?.retried ?? measured?.retried ?? 0,
    batches: end?.batches ?? measured?.batches ?? 0,
    queued: isOver ? 0 : (measured?.held.queued ?? 0),
    running: isOver ? 0 : (measured?.held.running ?? 0),
    waiting: isOver ? 0 : (measured?.held.waiting ?? 0),
    perSecond: isOver ? 0 : (measured?.perSecond.now ?? 0),
    elapsedMs: end?.elapsedMs ?? ranMs,
    busyMs: (shares?.busy ?? 0) * ranMs,
    blockedMs: (shares?.blocked ?? 0) * ranMs,
    ranMs,
    loadMs: (end?.load ?? measured?.load ?? 0) * ranMs,
    queueing: measured?.latencyMs.queue ?? NO_LATENCY,
    service: measured?.latencyMs.service ?? NO_LATENCY,
    ...(measured?.readShare === undefined ? {} : { readShare: measured.readShare }),
    ...(end?.calls === undefined ? {} : { calls: end.calls }),
    ...(memo === undefined ? {} : { memo }),
  };
}

function sumOfTasks(one: TaskTally | undefined, other: TaskTally): TaskTally {
  if (one === undefined) return other;
  const hasIterations = one.iterations !== undefined || other.iterations !== undefined;
  const readShares = [one.readShare, other.readShare].filter((share) => share !== undefined);
  const calls = sumOfCalls(one.calls, other.calls);
  const memo = sumOfMemos(one.memo, other.memo);
  const sum = (of: (tally: TaskTally) => number): number => of(one) + of(other);
  return {
    in: sum((tally) => tally.in),
    out: sum((tally) => tally.out),
    skipped: sum((tally) => tally.skipped),
    deadLettered: sum((tally) => tally.deadLettered),
    inFlight: sum((tally) => tally.inFlight),
    outputs: sumByName(one.outputs, other.outputs),
    skipReasons: sumByName(one.skipReasons, other.skipReasons),
    failed: sum((tally) => tally.failed),
    retried: sum((tally) => tally.retried),
    ...(hasIterations && { iterations: sum((tally) => tally.iterations ?? 0) }),
    batches: sum((tally) => tally.batches),
    queued: sum((tally) => tally.queued),
    running: sum((tally) => tally.running),
    waiting: sum((tally) => tally.waiting),
    perSecond: sum((tally) => tally.perSecond),
    elapsedMs: Math.max(one.elapsedMs, other.elapsedMs),
    busyMs: sum((tally) => tally.busyMs),
    blockedMs: sum((tally) => tally.blockedMs),
    ranMs: sum((tally) => tally.ranMs),
    loadMs: sum((tally) => tally.loadMs),
    queueing: sumOfLatencies(one.queueing, other.queueing),
    service: sumOfLatencies(one.service, other.service),
    ...(readShares.length === 0 ? {} : { readShare: Math.max(...readShares) }),
    ...(calls === undefined ? {} : { calls }),
    ...(memo === undefined ? {} : { memo }),
  };
}

function sumOfRoots(one: RootFigures | undefined, other: RootFigures): RootFigures {
  if (one === undefined) return other;
  return {
    born: one.born + other.born,
    settled: one.settled + other.settled,
    inFlight: one.inFlight + other.inFlight,
    window: one.window + other.window,
    watermark: one.watermark + other.watermark,
  };
}

function sumOfCalls(one: CallsSummary | undefined, other: CallsSummary | undefined): CallsSummary | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return { ...other, counts: sumByName(one.counts, other.counts) };
}

function sumOfMemos(one: MemoCounts | undefined, other: MemoCounts | undefined): MemoCounts | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return {
    hits: one.hits + other.hits,
    misses: one.misses + other.misses,
    stored: one.stored + other.stored,
  };
}

function sumByName(
  one: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const sum = new Map(Object.entries(one));
  for (const [name, count] of Object.entries(other)) sum.set(name, (sum.get(name) ?? 0) + count);
  return Object.fromEntries(sum);
}

/** The quantiles are taken from the fixed buckets, so each is the upper bound of a bucket, or the maximum. */
function sumOfLatencies(one: LatencyProgress, other: LatencyProgress): LatencyProgress {
  if (one.count === 0) return other;
  if (other.count === 0) return one;
  const count = one.count + other.count;
  const max = Math.max(one.max, other.max);
  const buckets = one.buckets.map((below, index) => below + (other.buckets[index] ?? 0));
  const quantile = (share: number): number => {
    const index = buckets.findIndex((below) => below >= share * count);
    return index === -1 ? max : Math.min(max, LATENCY_BOUNDS_MS[index] as number);
  };
  return {
    ...{ p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99), max },
    ...{ count, sumMs: one.sumMs + other.sumMs, buckets },
  };
}

/** The figures of a summary. */
export function figuresOf({ p50, p95, p99, max }: LatencyProgress): LatencyFigures {
  return { p50, p95, p99, max };
}
