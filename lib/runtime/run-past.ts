/**
 * What earlier lives of a run have done, as the parts of the next life ask for it.
 *
 * Promise: a record is left out only where everything that could come of it is on the disk already; a record that was
 * given up by a task is given up by it once, however often the run is resumed.
 */
import { pastOf, together, type Checkpoint, type RootPast, type RootProgress } from '../core/checkpoint.js';
import { exitLabel } from '../core/graph.js';
import type { LetterHead, TaskPast } from '../core/ports.js';
import type { Lineage } from '../core/record.js';
import type { ResumePlan } from './resume-plan.js';

export class RunPast {
  private readonly plan: ResumePlan;
  private readonly checkpoint: Checkpoint;
  private readonly roots = new Map<string, RootPast>();
  /** By task and root, the lineages that were given up there. */
  private readonly givenUp = new Map<string, Set<Lineage>>();

  constructor(plan: ResumePlan, checkpoint: Checkpoint) {
    this.plan = plan;
    this.checkpoint = checkpoint;
    for (const [root, progress] of Object.entries(checkpoint.roots)) {
      if (plan.isKept(root)) this.roots.set(root, pastOf(progress));
    }
  }

  /**
   * The number of the first record that a root gives. A boundary gives all that it gave before, because it takes in all
   * of it again; what is done of it is born gone.
   */
  startOf(root: string): Lineage {
    const progress = this.checkpoint.roots[root];
    if (progress === undefined || !this.plan.isSource(root) || this.plan.isReplayed(root)) return 0;
    return this.plan.isRepeatable(root) ? progress.watermark : progress.born;
  }

  /** The progress of a root over all lives, given that of this one. */
  progressOf(root: string, now: RootProgress): RootProgress {
    const before = this.checkpoint.roots[root];
    return before === undefined || !this.plan.isKept(root) ? now : together(before, now);
  }

  /** What a task may know of its own past; its outputs carry lineages of `root`. */
  of(task: string, root: string): TaskPast {
    const past = this.plan.startsAnew(task) ? undefined : this.roots.get(root);
    const labels = this.plan.labelsAfter(task);
    const own = exitLabel({ task });
    return {
      mark: this.plan.startsAnew(task) ? undefined : this.checkpoint.marks[task],
      isDone: (lineage) =>
        past !== undefined && labels !== undefined && labels.every((label) => past.hasPassed(label, lineage)),
      isWritten: (lineage) => past?.hasPassed(own, lineage) === true,
    };
  }

  /** Whether a record of `root` need not reach the task; undefined where each must. */
  leftOut(task: string, root: string, isBoundary: boolean): ((lineage: Lineage) => boolean) | undefined {
    const past = this.roots.get(root);
    if (past === undefined) return undefined;
    const labels = isBoundary ? undefined : this.plan.labelsAfter(task);
    if (labels !== undefined) return (lineage) => labels.every((label) => past.hasPassed(label, lineage));
    return (lineage) => this.wasGivenUp(task, root, lineage);
  }

  wasGivenUp(task: string, root: string, lineage: Lineage): boolean {
    return this.givenUp.get(keyOf(task, root))?.has(lineage) === true;
  }

  /** Whether a dead letter stays: its record is not done again. Takes note of those that do. */
  readonly keeps = ({ task, lineage: { root, number } }: LetterHead): boolean => {
    const past = this.roots.get(root);
    if (past === undefined || this.plan.startsAnew(task)) return false;
    if (!this.plan.labelsOf(root).every((label) => past.hasPassed(label, number))) return false;
    // What is not born again cannot be given up again.
    if (!this.plan.isReplayed(root)) return true;
    const key = keyOf(task, root);
    const known = this.givenUp.get(key) ?? new Set();
    this.givenUp.set(key, known.add(number));
    return true;
  };
}

function keyOf(task: string, root: string): string {
  return JSON.stringify([task, root]);
}
