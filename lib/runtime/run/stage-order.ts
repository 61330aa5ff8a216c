/**
 * The order of the stages of a run, and how the task of each have ended.
 *
 * Guarantees: a part of the graph starts only if its rules are met, and otherwise each of its tasks is skipped, with the reason; tasks
 * that an earlier incarnation has completed are not started again.
 */
import type { Checkpoint } from '../../model/checkpoint.js';
import type { GraphPlan } from '../../model/graph.js';
import type { TaskCounts } from '../../model/metrics.js';
import type { RunOutcome } from '../../model/ports.js';
import { unmetRule, type PartPlan, type TaskEnd } from '../../model/stages.js';
import { entry, setEntry } from '../../text/entry.js';

/** What a stage does. */
export interface BegunStage {
  /** The tasks to open and to connect. */
  readonly tasks: readonly string[];
  /** The tasks that do not run, with the reason. */
  readonly skipped: readonly (readonly [task: string, reason: string])[];
}

const NO_COUNTS: TaskCounts = { in: 0, out: 0, skipped: 0, deadLettered: 0, inFlight: 0 };

export class StageOrder {
  /** By task: how it ended. */
  readonly ends = new Map<string, TaskEnd>();
  /** By skipped task: the reason. */
  readonly reasons = new Map<string, string>();
  /** The tasks of the present stage that run. */
  tasks: readonly string[] = [];
  private readonly plan: GraphPlan;
  private at = 0;

  /** @param ended the tasks that earlier incarnations of the run have completed. */
  constructor(plan: GraphPlan, ended: Checkpoint['ended'] = {}) {
    this.plan = plan;
    for (const [task, counts] of Object.entries(ended)) this.ends.set(task, { status: 'completed', counts });
  }

  /** The tasks of the first stage that are not completed yet. */
  firstTasks(): readonly string[] {
    const [first] = this.plan.stages;
    return (first?.parts ?? []).flatMap(({ tasks }) => tasks).filter((task) => !this.ends.has(task));
  }

  get hasNext(): boolean {
    return this.at < this.plan.stages.length;
  }

  /**
   * Begins the next stage; undefined after the last one.
   * @param stop the reason why only parts begin that run however the others ended; undefined if each part may begin.
   */
  begin(stop?: string): BegunStage | undefined {
    const stage = this.plan.stages[this.at++];
    if (stage === undefined) return undefined;
    const tasks: string[] = [];
    const skipped: [string, string][] = [];
    for (const part of stage.parts) {
      if (part.tasks.every((task) => this.ends.get(task)?.status === 'completed')) continue;
      const reason = (stop !== undefined && isForGood(part) ? stop : undefined) ?? unmetRule(part, this.ends);
      if (reason === undefined) tasks.push(...part.tasks);
      else for (const task of part.tasks) skipped.push([task, reason]);
    }
    for (const [task, reason] of skipped) {
      this.reasons.set(task, reason);
      this.ends.set(task, { status: 'skipped', counts: NO_COUNTS });
    }
    this.tasks = tasks;
    return { tasks, skipped };
  }

  /** Notes how the tasks of the present stage have ended. */
  end(status: RunOutcome, counts: Readonly<Record<string, TaskCounts>>, error?: TaskEnd['error']): void {
    for (const task of this.tasks) {
      this.ends.set(task, { status, counts: entry(counts, task) ?? NO_COUNTS, ...(error && { error }) });
    }
  }

  /** The counts of the tasks of the present stage, which have completed. */
  endedNow(): Record<string, TaskCounts> {
    const ended: Record<string, TaskCounts> = {};
    for (const task of this.tasks) setEntry(ended, task, this.ends.get(task)?.counts ?? NO_COUNTS);
    return ended;
  }

  /** How the tasks ended that this task runs after, by name. `prefix` is what their names begin with inside of a sub-workflow. */
  startOf(task: string, prefix = ''): Record<string, TaskEnd> {
    const after = this.plan.nodes.find(({ node }) => node.name === task)?.node.after ?? [];
    const ends: Record<string, TaskEnd> = {};
    for (const name of after) setEntry(ends, name.slice(prefix.length), this.ends.get(name) as TaskEnd);
    return ends;
  }
}

/** Whether the part continues the work of others, so that a run that stops does not begin it. */
function isForGood({ rules }: PartPlan): boolean {
  return rules.every(({ when }) => when === 'completed');
}
