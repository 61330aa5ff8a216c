/**
 * The figures of a run that is spread over several processes, as if it were one: counts, progress and summary, from
 * what each lane has done.
 *
 * Guarantees: once all lanes have completed, the counts are those of all records. A lane whose worker died counts the
 * records again that were processed again; dead letters are counted once in any case.
 */
import type { TaskCounts, TaskProgress } from '../model/metrics.js';
import type { RunOutcome } from '../model/ports.js';
import type { RunSummary, TaskSummary } from '../model/run-summary.js';
import {
  completeReasons,
  figuresOf,
  NOTHING,
  sumOfTallies,
  type LaneTally,
  type Progress,
  type TaskTally,
} from './lane-tally.js';
import type { Stage } from './stages.js';
import type { SpreadWorkflow } from './stage-workflow.js';

/** Below this load there is no bottleneck; a name would be noise. */
const LEAST_LOAD = 0.01;

export class RunTotals {
  private readonly workflow: Pick<SpreadWorkflow, 'name' | 'plan' | 'declarations'>;
  private readonly stages = new Map<string, Stage>();
  private readonly lanesOf = new Map<Stage, readonly number[]>();
  private readonly tallies = new Map<number, LaneTally>();
  private readonly final = new Set<number>();
  private readonly letters = new Map<string, number>();
  private readonly startedAtMs = performance.now();

  /** @param stages none while they are not known. */
  constructor(workflow: Pick<SpreadWorkflow, 'name' | 'plan' | 'declarations'>, stages: readonly Stage[]) {
    this.workflow = workflow;
    let lane = 0;
    for (const stage of stages) {
      const lanes = [...new Array(stage.lanes).keys()].map(() => lane++);
      this.lanesOf.set(stage, lanes);
      for (const task of stage.tasks) this.stages.set(task, stage);
    }
  }

  /** The account of each task. */
  get counts(): Readonly<Record<string, TaskCounts>> {
    const { tasks } = this.sum();
    return Object.fromEntries(this.names.map((name) => [name, this.countsOf(name, tasks)]));
  }

  /** Tasks of whose lanes at least one has begun. */
  get begun(): readonly string[] {
    return this.tasksWhere((lanes) => lanes.some((lane) => this.tallies.has(lane)));
  }

  /** Tasks whose lanes have all completed. */
  get ended(): readonly string[] {
    return this.tasksWhere((lanes) => lanes.every((lane) => this.final.has(lane)));
  }

  /** Accepts the totals of a lane. Returns false if they are older than its last ones. */
  accept(lane: number, tally: LaneTally, isFinal: boolean): boolean {
    // News are not in the transaction of a lane, so old ones may arrive behind its last totals.
    if (this.final.has(lane)) return false;
    this.tallies.set(lane, tally);
    if (isFinal) this.final.add(lane);
    return true;
  }

  addLetter(task: string): void {
    this.letters.set(task, (this.letters.get(task) ?? 0) + 1);
  }

  /** The name of a lane, for people. */
  placeOf(lane: number): string {
    for (const [{ name }, lanes] of this.lanesOf) {
      const partition = lanes.indexOf(lane);
      if (partition !== -1) return `Lane ${partition} of ${name}`;
    }
    return `Lane ${lane}`;
  }

  /** The summary of the run as a whole. */
  summary(head: Pick<RunSummary, 'runId' | 'description' | 'outcome' | 'error' | 'startedAt' | 'endedAt'>): RunSummary {
    const { tasks, slowest } = this.sum();
    const elapsedMs = head.endedAt - head.startedAt;
    const entries = this.names.map((name) => [name, this.summaryOf(name, tasks[name], head.outcome)] as const);
    const bottleneck = entries
      .map(([task, { load }]) => ({ task, load }))
      .reduce((most, one) => (one.load > most.load ? one : most), { task: '', load: 0 });
    return {
      ...{ runId: head.runId, workflow: this.workflow.name, description: head.description },
      ...{ outcome: head.outcome, startedAt: head.startedAt, endedAt: head.endedAt, elapsedMs },
      ...(head.error === undefined ? {} : { error: head.error }),
      skipped: entries.reduce((sum, [, { skipped }]) => sum + skipped, 0),
      deadLettered: entries.reduce((sum, [, { deadLettered }]) => sum + deadLettered, 0),
      tasks: Object.fromEntries(entries),
      slowest,
      ...(bottleneck.load < LEAST_LOAD ? {} : { bottleneck }),
    };
  }

  private get names(): readonly string[] {
    return this.workflow.plan.nodes.map(({ node }) => node.name);
  }

  private tasksWhere(holds: (lanes: readonly number[]) => boolean): readonly string[] {
    return [...this.lanesOf].flatMap(([stage, lanes]) => (holds(lanes) ? stage.tasks : []));
  }

  private sum(): LaneTally {
    return sumOfTallies(this.tallies.values());
  }

  private countsOf(name: string, tasks: LaneTally['tasks']): TaskCounts {
    const { in: received, out, skipped, inFlight } = tasks[name] ?? NOTHING;
    return { in: received, out, skipped, deadLettered: this.deadLettered(name, tasks[name]), inFlight };
  }

  /** The letters in the topic, which are exact; while a lane runs, some of its letters wait for a transaction. */
  private deadLettered(name: string, tally: TaskTally | undefined): number {
    const stage = this.stages.get(name);
    const stored = this.letters.get(name) ?? 0;
    const isOver = stage !== undefined && (this.lanesOf.get(stage) ?? []).every((lane) => this.final.has(lane));
    return isOver ? stored : Math.max(stored, tally?.deadLettered ?? 0);
  }

  /** The `progress` event of this moment. */
  progress(): Progress {
    const { tasks, roots } = this.sum();
    const { nodes } = this.workflow.plan;
    const elapsedMs = Math.round(performance.now() - this.startedAtMs);
    const edges = nodes.flatMap(({ node, inputs }) =>
      inputs.map(({ task: from, output }) => {
        const { out, outputs } = tasks[from] ?? NOTHING;
        const records = output === undefined ? out : (outputs[output] ?? 0);
        return { from, ...(output === undefined ? {} : { output }), to: node.name, records, waiting: 0 };
      }),
    );
    return {
      ...{ type: 'progress', at: Date.now(), elapsedMs },
      tasks: Object.fromEntries(this.names.map((name) => [name, this.progressOf(name, tasks, elapsedMs)])),
      ...{ edges, roots },
    };
  }

  private progressOf(name: string, tasks: LaneTally['tasks'], elapsedMs: number): TaskProgress {
    const tally = tasks[name] ?? NOTHING;
    const { queued, running, waiting, failed, retried, batches, memo, perSecond, readShare } = tally;
    const done = Math.max(tally.out, tally.in - tally.inFlight);
    return {
      ...this.countsOf(name, tasks),
      held: { queued, running, waiting },
      ...{ failed, retried, batches },
      ...(memo === undefined ? {} : { memo }),
      perSecond: { now: perSecond, average: elapsedMs > 0 ? (done / elapsedMs) * 1000 : 0 },
      ...sharesOf(tally),
      latencyMs: { queue: tally.queueing, service: tally.service },
      ...(readShare === undefined ? {} : { readShare }),
    };
  }

  private summaryOf(name: string, tally: TaskTally = NOTHING, outcome: RunOutcome): TaskSummary {
    const { plan, declarations } = this.workflow;
    const node = plan.nodes.find((one) => one.node.name === name);
    const hasStarted = tally.in + tally.out + tally.failed > 0;
    const { in: received, out, skipped, failed, retried, batches, memo, elapsedMs, calls } = tally;
    return {
      kind: declarations.find((one) => one.name === name)?.task.kind ?? 'custom',
      dependencies: [...new Set(node?.node.dependencies)],
      status: hasStarted || outcome === 'completed' ? outcome : 'not-started',
      ...{ in: received, out },
      ...(node === undefined || node.outputs.size === 0
        ? {}
        : { outputs: Object.fromEntries([...node.outputs].map((one) => [one, tally.outputs[one] ?? 0])) }),
      ...{ skipped, skipReasons: completeReasons(tally), deadLettered: this.deadLettered(name, tally) },
      ...{ failed, retried, batches, elapsedMs },
      recordsPerSecond: elapsedMs > 0 ? (Math.max(received, out) / elapsedMs) * 1000 : 0,
      latencyMs: figuresOf(tally.service),
      queueMs: figuresOf(tally.queueing),
      ...sharesOf(tally),
      ...(calls === undefined ? {} : { calls }),
      ...(memo === undefined ? {} : { memo }),
    };
  }
}

function sharesOf({ busyMs, blockedMs, loadMs, ranMs }: TaskTally): Pick<TaskSummary, 'shares' | 'load'> {
  const of = (ms: number): number => (ranMs > 0 ? Math.round(Math.min(1, ms / ranMs) * 1000) / 1000 : 0);
  const [busy, blocked] = [of(busyMs), of(blockedMs)];
  const waiting = Math.round(Math.max(0, 1 - busy - blocked) * 1000) / 1000;
  return { shares: { busy, blocked, waiting }, load: of(loadMs) };
}
