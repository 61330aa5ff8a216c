/**
 * What earlier lives of a run have done, as the parts of the next life ask for it.
 *
 * Promise: a record is left out only where everything that could come of it is on the disk already; a record that was
 * given up by a task is given up by it once, however often the run is resumed.
 */
import { hasPassed, together, withHoles, type Checkpoint, type RootProgress } from '../../model/checkpoint.js';
import { exitLabel } from '../../model/graph.js';
import type { LetterHead } from '../../model/ports.js';
import type { TaskPast } from '../../stream/task-scope.js';
import type { Lineage } from '../../model/record.js';
import type { ResumePlan } from './resume-plan.js';

export class RunPast {
  private readonly plan: ResumePlan;
  private readonly checkpoint: Checkpoint;
  private readonly incarnation: number;
  private readonly roots = new Map<string, RootProgress>();
  /** By task and root, the lineages that were given up there. */
  private readonly givenUp = new Map<string, Set<Lineage>>();
  private readonly holes = new HoleList();
  private kept = 0;

  /** @param incarnation which life of the run asks. */
  constructor(plan: ResumePlan, checkpoint: Checkpoint, incarnation: number) {
    this.plan = plan;
    this.checkpoint = checkpoint;
    this.incarnation = incarnation;
    for (const [root, progress] of Object.entries(checkpoint.roots)) {
      if (plan.isKept(root)) this.roots.set(root, progress);
    }
  }

  /**
   * The number of the first record that a root gives. A boundary gives all that it gave before, because it takes in all
   * of it again; what is done of it is born gone.
   */
  startOf(root: string): Lineage {
    const progress = this.roots.get(root);
    if (progress === undefined || !this.plan.isSource(root) || this.plan.isReplayed(root)) return 0;
    return this.plan.isRepeatable(root) ? progress.watermark : progress.born;
  }

  /** What, with a lineage of the root, names one record over all lives of the run. */
  numberingOf(root: string): string {
    return this.plan.isRepeatable(root) ? root : `${root} (life ${this.incarnation})`;
  }

  /** The progress of a root over all lives, given that of this one. */
  progressOf(root: string, now: RootProgress): RootProgress {
    const before = this.roots.get(root);
    return before === undefined ? now : together(before, now);
  }

  /** What a task may know of its own past; its outputs carry lineages of `root`. */
  of(task: string, root: string): TaskPast {
    const isAnew = this.plan.startsAnew(task);
    const own = exitLabel({ task });
    return {
      isAnew,
      mark: isAnew ? undefined : this.checkpoint.marks[task],
      born: this.plan.isRepeatable(root) ? (this.roots.get(root)?.born ?? 0) : 0,
      isDone: (lineage) => !isAnew && !this.plan.feedsBoundary(task) && this.havePassed(task, root, lineage),
      isWritten: (lineage) => !isAnew && this.hasPassed(root, own, lineage),
    };
  }

  /** Dead letters that stand, once `keeps` was asked for every one. */
  get lettersKept(): number {
    return this.kept;
  }

  /** Whether a record of `root` need not reach the task; undefined where each must. */
  leftOut(task: string, root: string, isBoundary: boolean): ((lineage: Lineage) => boolean) | undefined {
    if (!this.roots.has(root)) return undefined;
    if (isBoundary || this.plan.feedsBoundary(task)) return (lineage) => this.wasGivenUp(task, root, lineage);
    return (lineage) => this.havePassed(task, root, lineage);
  }

  wasGivenUp(task: string, root: string, lineage: Lineage): boolean {
    return this.givenUp.get(keyOf(task, root))?.has(lineage) === true;
  }

  /**
   * Whether a dead letter stays. It does where its record has passed all that the task could have brought it to; else
   * the task does it again, and so must everything that has seen it gone. Ask for every letter, then call `settle`.
   */
  readonly keeps = ({ task, lineage: { root, number } }: LetterHead): boolean => {
    if (!this.roots.has(root) || this.plan.startsAnew(task)) return false;
    const labels = this.plan.labelsOfLetter(task, root);
    if (!labels.every((label) => this.hasPassed(root, label, number))) {
      this.holes.add(root, labels, number);
      return false;
    }
    // What is not born again cannot be given up again.
    if (this.plan.isReplayed(root)) {
      const key = keyOf(task, root);
      this.givenUp.set(key, (this.givenUp.get(key) ?? new Set()).add(number));
    }
    this.kept++;
    return true;
  };

  /** The checkpoint as it stands after `keeps` was asked for every letter. */
  settle(): Checkpoint {
    for (const [root, holes] of this.holes) {
      const progress = this.roots.get(root) as RootProgress;
      this.roots.set(root, withHoles(progress, holes, this.plan.labelsOf(root)));
    }
    return { ...this.checkpoint, roots: { ...this.checkpoint.roots, ...Object.fromEntries(this.roots) } };
  }

  private havePassed(task: string, root: string, lineage: Lineage): boolean {
    return this.plan.labelsAfter(task).every((label) => this.hasPassed(root, label, lineage));
  }

  private hasPassed(root: string, label: string, lineage: Lineage): boolean {
    const progress = this.roots.get(root);
    return progress !== undefined && hasPassed(progress, label, lineage);
  }
}

/**
 * The checkpoint of a run that has finished, with holes where these letters are: a run that goes on from it does their
 * records again, and nothing else.
 */
export function redoing(checkpoint: Checkpoint, letters: readonly LetterHead[], plan: ResumePlan): Checkpoint {
  const list = new HoleList();
  for (const { task, lineage } of letters)
    list.add(lineage.root, plan.labelsOfLetter(task, lineage.root), lineage.number);
  const roots = { ...checkpoint.roots };
  for (const [root, holes] of list) {
    const progress = roots[root];
    if (progress !== undefined) roots[root] = withHoles(progress, holes, plan.labelsOf(root));
  }
  return { ...checkpoint, roots, isComplete: false };
}

/** Collects holes in any order. */
class HoleList {
  private readonly roots = new Map<string, Map<string, Set<Lineage>>>();

  add(root: string, labels: readonly string[], lineage: Lineage): void {
    const exits = this.roots.get(root) ?? new Map<string, Set<Lineage>>();
    this.roots.set(root, exits);
    for (const label of labels) exits.set(label, (exits.get(label) ?? new Set()).add(lineage));
  }

  *[Symbol.iterator](): Generator<[string, Map<string, Lineage[]>]> {
    for (const [root, exits] of this.roots) {
      const sorted = [...exits].map(([label, lineages]) => [label, [...lineages].sort((a, b) => a - b)] as const);
      yield [root, new Map(sorted)];
    }
  }
}

function keyOf(task: string, root: string): string {
  return JSON.stringify([task, root]);
}
