/**
 * The order of the phases of a run, and the ends of their tasks.
 *
 * Guarantees: a part of the graph starts only if its rules are met, and otherwise each of its tasks is skipped, with
 * the reason; tasks that an earlier incarnation has completed are not started again.
 */
import type { Checkpoint } from '../../model/checkpoint.js';
import type { GraphPlan } from '../../model/graph.js';
import type { TaskCounts } from '../../model/metrics.js';
import type { RunOutcome } from '../../model/ports.js';
import { endOfAll, unmetRule, type PartPlan, type TaskEnd } from '../../model/phases.js';
import { entry, setEntry } from '../../text/entry.js';

/** A task that does not run, with the reason. */
export type SkippedTask = readonly [task: string, reason: string];

const NO_COUNTS: TaskCounts = { in: 0, out: 0, skipped: 0, deadLettered: 0, inFlight: 0 };

export class PhaseOrder {
  /** The end of each task, by its name. */
  readonly ends = new Map<string, TaskEnd>();
  /** By skipped task: the reason. */
  readonly reasons = new Map<string, string>();
  /** The tasks of the present phase that run. */
  tasks: readonly string[] = [];
  private readonly plan: GraphPlan;
  /** By the task at the end of a sub-workflow: the tasks in it. */
  private readonly membersOf = new Map<string, readonly string[]>();
  private readonly begunBefore: ReadonlySet<string>;
  private at = 0;

  /**
   * @param ended the tasks that earlier incarnations of the run have completed.
   * @param begunBefore the tasks of which the checkpoint has progress.
   */
  constructor(plan: GraphPlan, ended: Checkpoint['ended'] = {}, begunBefore: ReadonlySet<string> = new Set()) {
    this.plan = plan;
    this.begunBefore = begunBefore;
    for (const { node } of plan.nodes) if (node.members !== undefined) this.membersOf.set(node.name, node.members);
    for (const [task, counts] of Object.entries(ended)) this.ends.set(task, { status: 'completed', counts });
  }

  get hasNext(): boolean {
    return this.at < this.plan.phases.length;
  }

  /**
   * Begins the next phase. Returns the tasks of it that are skipped; undefined after the last phase.
   * @param ended the outcome of the run, if the phase is part of its aftermath; undefined in a run that has not ended.
   */
  begin(ended?: RunOutcome): readonly SkippedTask[] | undefined {
    const phase = this.plan.phases[this.at++];
    const tasks: string[] = [];
    this.tasks = tasks;
    if (phase === undefined) return undefined;
    const skipped: SkippedTask[] = [];
    for (const part of phase.parts) {
      if (part.tasks.every((task) => this.ends.get(task)?.status === 'completed')) continue;
      const reason = this.stopOf(part, ended) ?? unmetRule(part, (task) => this.endOf(task));
      if (reason === undefined) tasks.push(...part.tasks);
      else for (const task of part.tasks) skipped.push([task, reason]);
    }
    for (const [task, reason] of skipped) {
      this.reasons.set(task, reason);
      this.ends.set(task, { status: 'skipped', counts: NO_COUNTS });
    }
    return skipped;
  }

  /**
   * Records the ends of the tasks of the present phase. Ends that are recorded already stay, also if the run ends while
   * the phase is closed.
   */
  end(status: RunOutcome, counts: Readonly<Record<string, TaskCounts>>, error?: TaskEnd['error']): void {
    for (const task of this.tasks) {
      if (this.ends.has(task)) continue;
      this.ends.set(task, { status, counts: entry(counts, task) ?? NO_COUNTS, ...(error && { error }) });
    }
  }

  /** The counts of the tasks of the present phase, which have completed. */
  endedNow(): Record<string, TaskCounts> {
    const ended: Record<string, TaskCounts> = {};
    for (const task of this.tasks) setEntry(ended, task, this.ends.get(task)?.counts ?? NO_COUNTS);
    return ended;
  }

  /**
   * The ends of the tasks after which this task runs, by name. `prefix` is the prefix of their names inside of a
   * sub-workflow.
   */
  startOf(task: string, prefix = ''): Record<string, TaskEnd> {
    const after = this.plan.nodes.find(({ node }) => node.name === task)?.node.after ?? [];
    const ends: Record<string, TaskEnd> = {};
    for (const name of after) setEntry(ends, name.slice(prefix.length), this.endOf(name) as TaskEnd);
    return ends;
  }

  /** The reason why a part does not begin after the end of the run, although its rules may be met. */
  private stopOf(part: PartPlan, ended: RunOutcome | undefined): string | undefined {
    if (ended === undefined) return undefined;
    // An earlier incarnation has begun it in its turn, for example before a replay. Its progress is in the checkpoint.
    if (part.tasks.some((task) => this.begunBefore.has(task))) return 'it continues when the run is resumed';
    return ended !== 'failed' && isForGood(part) ? `the run was ${ended}` : undefined;
  }

  /** The end of the task; for the last task of a sub-workflow, the end of the sub-workflow. */
  private endOf(task: string): TaskEnd | undefined {
    const own = this.ends.get(task);
    const members = this.membersOf.get(task);
    if (own === undefined || members === undefined) return own;
    return endOfAll(
      own,
      members.flatMap((name) => this.ends.get(name) ?? []),
    );
  }
}

/** The reasons why parts of the graph do not run in a run that completes, by task. */
export function skippedIfCompleted(plan: GraphPlan): ReadonlyMap<string, string> {
  const order = new PhaseOrder(plan);
  while (order.hasNext) {
    order.begin();
    order.end('completed', {});
  }
  return order.reasons;
}

/** Whether the part only continues completed work, so that a run that is stopped does not begin it. */
function isForGood({ rules }: PartPlan): boolean {
  return rules.every(({ when }) => when === 'completed');
}
