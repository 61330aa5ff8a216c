/** The summary of a run: plain data, the same in code and in a file. */
import type { NodePlan } from '../../model/graph.js';
import type { RunOutcome } from '../../model/ports.js';
import { withWholes, type RunSummary, type TaskSummary } from '../../model/run-summary.js';
import type { PhaseOrder } from './phase-order.js';
import type { RunMetrics, TaskUsage } from '../watch/run-metrics.js';
import type { WiredTask } from '../wiring/wired-task.js';
import type { Wiring } from '../wiring/wiring.js';

/** The most records that `slowest` in a summary holds. */
const MAX_SLOWEST = 20;

export function summarizeTask(
  { plan, declaration, scope, joinScope }: WiredTask,
  outcome: RunOutcome,
  { shares, load }: TaskUsage,
  reason?: string,
): TaskSummary {
  const { account, latency, queueing, calls } = scope;
  const joined = joinScope === scope ? undefined : joinScope.account;
  const { firstAtMs, lastAtMs } = account;
  // A task that began and never emitted has no last moment.
  const elapsedMs = firstAtMs === undefined || lastAtMs === undefined ? 0 : lastAtMs - firstAtMs;
  // Without spreads: they cost more than all else here, and a large graph has thousands of tasks.
  const summary: Mutable<TaskSummary> = {
    kind: declaration.task.kind,
    dependencies: dependenciesOf(plan),
    status: statusOf(firstAtMs !== undefined, outcome, reason),
    in: account.in,
    out: account.out,
    skipped: account.skipped + (joined?.skipped ?? 0),
    skipReasons: reasonsOf(account.skipReasons, joined?.skipReasons),
    deadLettered: account.deadLettered + (joined?.deadLettered ?? 0),
    failed: account.failed + (joined?.failed ?? 0),
    retried: account.retried,
    batches: account.batches,
    elapsedMs,
    recordsPerSecond: elapsedMs > 0 ? (Math.max(account.in, account.out) / elapsedMs) * 1000 : 0,
    latencyMs: latency.figures(),
    queueMs: queueing.figures(),
    shares,
    load,
  };
  if (reason !== undefined) summary.reason = reason;
  if (plan.outputs.size > 0) summary.outputs = outputsOf(plan.outputs, account.routed);
  if (account.iterations > 0) summary.iterations = account.iterations;
  if (account.memo !== undefined) summary.memo = { ...account.memo };
  if (calls !== undefined) summary.calls = calls;
  return summary;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A task that reads two outputs of another one depends on it once. */
function dependenciesOf({ inputs, node: { dependencies } }: NodePlan): readonly string[] {
  return inputs.some(({ output }) => output !== undefined) ? [...new Set(dependencies)] : dependencies.slice();
}

/** The sums of both counts, by reason. Most tasks skip nothing. */
function reasonsOf(
  own: ReadonlyMap<string, number>,
  joined: ReadonlyMap<string, number> | undefined,
): Record<string, number> {
  if (joined === undefined || joined.size === 0) return own.size === 0 ? {} : Object.fromEntries(own);
  const reasons = new Map(own);
  for (const [reason, count] of joined) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  return Object.fromEntries(reasons);
}

function statusOf(hasStarted: boolean, outcome: RunOutcome, reason: string | undefined): TaskSummary['status'] {
  if (reason !== undefined) return 'skipped';
  return hasStarted || outcome === 'completed' ? outcome : 'not-started';
}

function outputsOf(names: ReadonlySet<string>, routed: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...names].map((name) => [name, routed.get(name) ?? 0]));
}

export function summarizeRun(
  wiring: Wiring,
  metrics: RunMetrics,
  head: Omit<RunSummary, 'tasks' | 'skipped' | 'deadLettered' | 'elapsedMs' | 'bottleneck' | 'slowest'>,
  { ends, reasons }: Pick<PhaseOrder, 'ends' | 'reasons'>,
): RunSummary {
  const { usage, bottleneck } = metrics.total();
  const tasks: [string, TaskSummary][] = [];
  let skipped = 0;
  let deadLettered = 0;
  for (const [name, task] of wiring.tasks) {
    const status = ends.get(name)?.status ?? head.outcome;
    const outcome = status === 'skipped' ? head.outcome : status;
    const summary = summarizeTask(task, outcome, usage.get(name) as TaskUsage, reasons.get(name));
    tasks.push([name, summary]);
    skipped += summary.skipped;
    deadLettered += summary.deadLettered;
  }
  const slowest = [...wiring.tasks.values()]
    .flatMap(({ scope }) => scope.slowest.all)
    .sort((a, b) => b.ms - a.ms)
    .slice(0, MAX_SLOWEST);
  return {
    ...head,
    elapsedMs: head.endedAt - head.startedAt,
    skipped,
    deadLettered,
    // Also a task called __proto__ becomes an entry.
    tasks: withWholes(
      Object.fromEntries(tasks),
      [...wiring.tasks.values()].map(({ plan }) => plan.node),
    ),
    slowest,
    ...(bottleneck === undefined ? {} : { bottleneck }),
  };
}
