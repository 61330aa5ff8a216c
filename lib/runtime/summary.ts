/** What a run was, in numbers: plain data, the same whether it was read in code or written to a file. */
import type { ExecutorStats } from '../core/executor.js';
import type { RunOutcome } from '../core/ports.js';
import type { WiredTask, Wiring } from './wiring.js';

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
  /** From the first record's start to the last one's end. */
  readonly elapsedMs: number;
  /** Records taken in, by `elapsedMs`; 0 where no time passed. */
  readonly recordsPerSecond: number;
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number; readonly max: number };
}

export function summarizeTask({ plan, declaration, scope, joinScope }: WiredTask, outcome: RunOutcome): TaskSummary {
  const { account, latency } = scope;
  const joined = joinScope === scope ? undefined : joinScope.account;
  const elapsedMs = (account.lastAtMs ?? 0) - (account.firstAtMs ?? 0);
  const reasons = new Map(account.skipReasons);
  for (const [reason, count] of joined?.skipReasons ?? []) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  return {
    kind: declaration.task.kind,
    dependencies: plan.node.dependencies,
    status: account.firstAtMs === undefined && outcome !== 'completed' ? 'not-started' : outcome,
    in: account.in,
    out: account.out,
    skipped: account.skipped + (joined?.skipped ?? 0),
    skipReasons: Object.fromEntries(reasons),
    deadLettered: account.deadLettered + (joined?.deadLettered ?? 0),
    failed: account.failed + (joined?.failed ?? 0),
    retried: account.retried,
    elapsedMs,
    recordsPerSecond: elapsedMs > 0 ? (Math.max(account.in, account.out) / elapsedMs) * 1000 : 0,
    latencyMs: {
      p50: latency.quantileMs(0.5),
      p95: latency.quantileMs(0.95),
      p99: latency.quantileMs(0.99),
      max: latency.maxMs,
    },
  };
}

export function summarizeRun(
  wiring: Wiring,
  head: Omit<RunSummary, 'tasks' | 'skipped' | 'deadLettered' | 'elapsedMs'>,
): RunSummary {
  const tasks: Record<string, TaskSummary> = {};
  let skipped = 0;
  let deadLettered = 0;
  for (const [name, task] of wiring.tasks) {
    const summary = summarizeTask(task, head.outcome);
    tasks[name] = summary;
    skipped += summary.skipped;
    deadLettered += summary.deadLettered;
  }
  return { ...head, elapsedMs: head.endedAt - head.startedAt, skipped, deadLettered, tasks };
}
