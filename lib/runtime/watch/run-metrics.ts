/**
 * The metrics of a run, for the `progress` event (every second) and the summary at the end.
 *
 * Guarantees: the cost of a measurement depends on the number of tasks, not of records; measuring does not change the
 * run.
 */
import { countsOf } from '../../ledger/account.js';
import { chooseBottleneck, type TaskUse } from '../../measure/bottleneck.js';
import type { MeasureEvent } from '../../model/events.js';
import type {
  Bottleneck,
  EdgeProgress,
  RootFigures,
  SlowRecord,
  TaskProgress,
  TimeShares,
} from '../../model/metrics.js';
import type { MeterSums } from '../../measure/task-meter.js';
import type { RunServices } from '../wiring/services.js';
import type { RunScope } from '../wiring/scope.js';
import type { WiredTask } from '../wiring/wired-task.js';
import type { Wiring } from '../wiring/wiring.js';

/** The time constant of the exponentially weighted rate, in milliseconds. */
const RATE_MEMORY_MS = 5000;

type Progress = Extract<MeasureEvent, { type: 'progress' }>;

/** The use of a task in an interval. */
export interface TaskUsage extends TaskUse {
  readonly shares: TimeShares;
  readonly load: number;
}

interface Memory {
  sums: MeterSums;
  done: number;
  perSecond: number | undefined;
}

const NOTHING: MeterSums = { busyMs: 0, blockedMs: 0, slotMs: 0, loopMs: 0, poolMs: 0 };

export class RunMetrics {
  private readonly wiring: Wiring;
  private readonly services: RunServices;
  private readonly startedAtMs: number;
  private lastAtMs: number;
  private readonly memory = new Map<string, Memory>();

  constructor(wiring: Wiring, services: RunServices) {
    this.wiring = wiring;
    this.services = services;
    this.startedAtMs = services.clock.monotonicMs();
    this.lastAtMs = this.startedAtMs;
  }

  /** The changes since the last call, and the current state. */
  progress(): Progress {
    const { clock } = this.services;
    const nowMs = clock.monotonicMs();
    const sinceMs = nowMs - this.lastAtMs;
    const elapsedMs = nowMs - this.startedAtMs;
    this.lastAtMs = nowMs;
    const tasks: [string, TaskProgress][] = [];
    const uses: TaskUsage[] = [];
    for (const [name, task] of this.wiring.tasks) {
      const memory = this.memory.get(name) ?? { sums: NOTHING, done: 0, perSecond: undefined };
      this.memory.set(name, memory);
      const sums = task.scope.account.meter.look(nowMs);
      const usage = this.usageOf(name, difference(sums, memory.sums), sinceMs);
      memory.sums = sums;
      uses.push(usage);
      tasks.push([name, taskProgress(task.scope, usage, rateOf(task.scope, memory, sinceMs, elapsedMs))]);
    }
    const bottleneck = chooseBottleneck(uses);
    return {
      type: 'progress',
      at: clock.now(),
      elapsedMs: round(elapsedMs),
      // Also a task called __proto__ becomes an entry.
      tasks: Object.fromEntries(tasks),
      edges: this.edges(),
      roots: this.roots(),
      ...(bottleneck === undefined ? {} : { bottleneck }),
    };
  }

  /** The use of each task in the whole run so far, and the bottleneck. */
  total(): { readonly usage: ReadonlyMap<string, TaskUsage>; readonly bottleneck: Bottleneck | undefined } {
    const nowMs = this.services.clock.monotonicMs();
    const usage = new Map<string, TaskUsage>();
    for (const { scope } of this.wiring.tasks.values()) {
      usage.set(scope.task, this.usageOf(scope.task, scope.account.meter.look(nowMs), nowMs - this.startedAtMs));
    }
    return { usage, bottleneck: chooseBottleneck([...usage.values()]) };
  }

  /** The records that have become one of the slowest of their task since the last call. */
  slowNews(): SlowRecord[] {
    return [...this.wiring.tasks.values()].flatMap(({ scope }) => scope.slowest.news());
  }

  private usageOf(task: string, sums: MeterSums, elapsedMs: number): TaskUsage {
    const of = (ms: number): number => (elapsedMs > 0 ? round(Math.min(1, ms / elapsedMs)) : 0);
    const busy = of(sums.busyMs);
    const blocked = of(sums.blockedMs);
    const slots = of(sums.slotMs);
    const loop = of(sums.loopMs);
    const pool = of(sums.poolMs / Math.max(1, this.services.executor().size));
    const shares = { busy, blocked, waiting: round(Math.max(0, 1 - busy - blocked)) };
    return { task, slots, loop, pool, shares, load: Math.max(slots, loop, pool) };
  }

  private edges(): EdgeProgress[] {
    return [...this.wiring.tasks.values()].flatMap(({ plan, joinScope }) =>
      plan.inputs.map(({ task: from, output }, index) => ({
        from,
        ...(output === undefined ? {} : { output }),
        to: plan.node.name,
        records: this.crossed(from, output),
        waiting: joinScope.waitingAt(index),
      })),
    );
  }

  /** The records that left a task by one of its outputs. */
  private crossed(from: string, output: string | undefined): number {
    const { account } = (this.wiring.tasks.get(from) as WiredTask).scope;
    if (output !== undefined) return account.routed.get(output) ?? 0;
    let plain = account.out;
    for (const count of account.routed.values()) plain -= count;
    return plain;
  }

  private roots(): Record<string, RootFigures> {
    return Object.fromEntries(
      [...this.wiring.roots].map(([name, { born, settled, inFlight, window, watermark }]) => [
        name,
        { born, settled, inFlight, window, watermark },
      ]),
    );
  }
}

function taskProgress(
  scope: RunScope,
  { shares, load }: TaskUsage,
  perSecond: TaskProgress['perSecond'],
): TaskProgress {
  const { account } = scope;
  const { queued, running, waiting } = account.inFlightByState;
  const { failed, retried, batches, memo } = account;
  const readShare = account.readShare();
  return {
    ...countsOf(account),
    held: { queued, running, waiting },
    failed,
    retried,
    batches,
    ...(memo === undefined ? {} : { memo: { ...memo } }),
    perSecond,
    shares,
    load,
    latencyMs: { queue: scope.queueing.progress(), service: scope.latency.progress() },
    ...(readShare === undefined ? {} : { readShare: round(readShare) }),
  };
}

/** Records that the task finishes per second: now (exponentially weighted), and on average over the run. */
function rateOf(scope: RunScope, memory: Memory, sinceMs: number, elapsedMs: number): TaskProgress['perSecond'] {
  const { in: received, out, inFlight } = scope.account;
  const done = Math.max(out, received - inFlight);
  if (sinceMs > 0) {
    const perSecond = ((done - memory.done) / sinceMs) * 1000;
    const weight = memory.perSecond === undefined ? 1 : 1 - Math.exp(-sinceMs / RATE_MEMORY_MS);
    memory.perSecond = (memory.perSecond ?? 0) * (1 - weight) + perSecond * weight;
    memory.done = done;
  }
  return {
    now: round(memory.perSecond ?? 0),
    average: elapsedMs > 0 ? round((done / elapsedMs) * 1000) : 0,
  };
}

function difference(now: MeterSums, before: MeterSums): MeterSums {
  return {
    busyMs: now.busyMs - before.busyMs,
    blockedMs: now.blockedMs - before.blockedMs,
    slotMs: now.slotMs - before.slotMs,
    loopMs: now.loopMs - before.loopMs,
    poolMs: now.poolMs - before.poolMs,
  };
}

/** Rounds to three decimals. More decimals are noise and would make every recorded event larger. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
