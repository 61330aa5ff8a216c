/**
 * The figures of a run that is spread over several processes, as of one run: counts, progress and summary, computed
 * from the totals of each lane.
 *
 * Guarantees: when all lanes have completed, the counts include all records. If a worker died, the records that its
 * lanes processed again are counted again. Each dead letter is counted once.
 */
import type { TaskCounts, TaskProgress } from '../model/metrics.js';
import type { RunOutcome } from '../model/ports.js';
import type { PhaseOrder } from '../runtime/run/phase-order.js';
import { withWholes, type RunSummary, type TaskSummary } from '../model/run-summary.js';
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

/** Below this load no task is named as the bottleneck: the name would be noise. */
const LEAST_LOAD = 0.01;

export class RunTotals {
  private readonly workflow: Pick<SpreadWorkflow, 'name' | 'plan' | 'declarations'>;
  private readonly stages = new Map<string, Stage>();
  private readonly lanesOf = new Map<Stage, readonly number[]>();
  private readonly tallies = new Map<number, LaneTally>();
  private readonly final = new Set<number>();
  /** By lane: the last generation whose totals were accepted. */
  private readonly seen = new Map<number, number>();
  private readonly generations: ReadonlyMap<number, number>;
  private readonly letters = new Map<string, number>();
  private readonly startedAtMs = performance.now();

  /**
   * @param stages empty while the stages are not known.
   * @param generations the last replay of each lane that a replay has opened again.
   */
  constructor(
    workflow: Pick<SpreadWorkflow, 'name' | 'plan' | 'declarations'>,
    stages: readonly Stage[],
    generations: ReadonlyMap<number, number> = new Map(),
  ) {
    this.workflow = workflow;
    this.generations = generations;
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

  /** The tasks that have begun in at least one lane. */
  get begun(): readonly string[] {
    return this.tasksWhere((lanes) => lanes.some((lane) => this.tallies.has(lane)));
  }

  /** The counts of the tasks whose lanes have all completed. */
  get endedCounts(): Readonly<Record<string, TaskCounts>> {
    const ended = new Set(this.ended);
    return Object.fromEntries(Object.entries(this.counts).filter(([task]) => ended.has(task)));
  }

  /** The tasks whose lanes have all completed. */
  get ended(): readonly string[] {
    return this.tasksWhere((lanes) => lanes.every((lane) => this.final.has(lane)));
  }

  /**
   * Accepts the totals of a lane, or of tasks that ran after the end of the run, which have a negative number. Returns
   * false if they are older than its last ones.
   */
  accept(lane: number, tally: LaneTally, isFinal: boolean, generation = 0): boolean {
    // News are not part of the transaction of a lane, so old news may arrive after its final totals.
    if (this.final.has(lane) || generation < (this.seen.get(lane) ?? 0)) return false;
    this.seen.set(lane, generation);
    this.tallies.set(lane, tally);
    // A lane that a replay has opened again has not ended before its end in this replay.
    if (isFinal && generation >= (this.generations.get(lane) ?? 0)) this.final.add(lane);
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

  /** The summary of the run as a whole. @param order how its tasks have ended, as far as that differs from the run. */
  summary(
    head: Pick<RunSummary, 'runId' | 'description' | 'outcome' | 'error' | 'startedAt' | 'endedAt'>,
    order?: Pick<PhaseOrder, 'ends' | 'reasons'>,
  ): RunSummary {
    const { tasks, slowest } = this.sum();
    const elapsedMs = head.endedAt - head.startedAt;
    const entries = this.names.map((name) => {
      const status = order?.ends.get(name)?.status ?? head.outcome;
      const outcome = status === 'skipped' ? head.outcome : status;
      return [name, this.summaryOf(name, tasks[name], outcome, order?.reasons.get(name))] as const;
    });
    const bottleneck = entries
      .map(([task, { load }]) => ({ task, load }))
      .reduce((most, one) => (one.load > most.load ? one : most), { task: '', load: 0 });
    return {
      ...{ runId: head.runId, workflow: this.workflow.name, description: head.description },
      ...{ outcome: head.outcome, startedAt: head.startedAt, endedAt: head.endedAt, elapsedMs },
      ...(head.error === undefined ? {} : { error: head.error }),
      skipped: entries.reduce((sum, [, { skipped }]) => sum + skipped, 0),
      deadLettered: entries.reduce((sum, [, { deadLettered }]) => sum + deadLettered, 0),
      tasks: withWholes(
        Object.fromEntries(entries),
        this.workflow.plan.nodes.map(({ node }) => node),
      ),
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
    const { in: received, out, skipped, inFlight, iterations } = tasks[name] ?? NOTHING;
    const deadLettered = this.deadLettered(name, tasks[name]);
    return { in: received, out, skipped, deadLettered, inFlight, ...(iterations !== undefined && { iterations }) };
  }

  /**
   * The number of letters in the topic is exact. While a lane runs, some of its letters still wait for a transaction.
   * In a replay, its totals contain letters that the replay has taken.
   */
  private deadLettered(name: string, tally: TaskTally | undefined): number {
    const stage = this.stages.get(name);
    const stored = this.letters.get(name) ?? 0;
    const isOver = stage !== undefined && (this.lanesOf.get(stage) ?? []).every((lane) => this.final.has(lane));
    return isOver || this.generations.size > 0 ? stored : Math.max(stored, tally?.deadLettered ?? 0);
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

  private summaryOf(name: string, tally: TaskTally = NOTHING, outcome: RunOutcome, reason?: string): TaskSummary {
    const { plan, declarations } = this.workflow;
    const node = plan.nodes.find((one) => one.node.name === name);
    const hasStarted = tally.in + tally.out + tally.failed > 0;
    const { in: received, out, skipped, failed, retried, batches, memo, elapsedMs, calls } = tally;
    return {
      kind: declarations.find((one) => one.name === name)?.task.kind ?? 'custom',
      dependencies: [...new Set(node?.node.dependencies)],
      status: reason !== undefined ? 'skipped' : hasStarted || outcome === 'completed' ? outcome : 'not-started',
      ...(reason === undefined ? {} : { reason }),
      ...{ in: received, out },
      ...(node === undefined || node.outputs.size === 0
        ? {}
        : { outputs: Object.fromEntries([...node.outputs].map((one) => [one, tally.outputs[one] ?? 0])) }),
      ...{ skipped, skipReasons: completeReasons(tally), deadLettered: this.deadLettered(name, tally) },
      ...{ failed, retried, batches, elapsedMs },
      ...(tally.iterations !== undefined && { iterations: tally.iterations }),
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
