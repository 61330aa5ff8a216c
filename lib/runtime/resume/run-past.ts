/**
 * The work that earlier incarnations of a run have done, for the tasks of the next incarnation.
 *
 * Guarantees: a record is omitted only if every result of the record is already on the disk; a record that a task has given
 * up is given up by this task once, no matter how often the run is resumed.
 */
import { hasPassed, together, withHoles, type Checkpoint, type RootProgress } from '../../model/checkpoint.js';
import { exitLabel } from '../../model/graph.js';
import type { LetterHead } from '../../model/ports.js';
import type { TaskPast } from '../../stream/task-scope.js';
import type { Lineage } from '../../model/record.js';
import type { ResumePlan } from './resume-plan.js';
import { entry, setEntry } from '../../text/entry.js';

export class RunPast {
  private readonly plan: ResumePlan;
  private readonly checkpoint: Checkpoint;
  private readonly incarnation: number;
  private readonly roots = new Map<string, RootProgress>();
  /** Per task and root, the lineages that the task has given up. */
  private readonly givenUp = new Map<string, Set<Lineage>>();
  private readonly holes = new HoleList();
  private kept = 0;

  /** @param incarnation the number of the current incarnation. */
  constructor(plan: ResumePlan, checkpoint: Checkpoint, incarnation: number) {
    this.plan = plan;
    this.checkpoint = checkpoint;
    this.incarnation = incarnation;
    for (const [root, progress] of Object.entries(checkpoint.roots)) {
      if (plan.isKept(root)) this.roots.set(root, progress);
    }
  }

  /**
   * The number of the first record of a root. A boundary that keeps no state emits all its earlier records again, because
   * it receives all its input again; the records that are already done are born as GONE.
   */
  startOf(root: string): Lineage {
    const progress = this.roots.get(root);
    const continues = this.plan.isSource(root) || this.plan.durability.ofRoot(root) === 'kept';
    return progress === undefined || !continues || this.plan.isReplayed(root) ? 0 : progress.watermark;
  }

  /**
   * A name that, together with a lineage of the root, identifies one record over all incarnations of the run. The text is
   * part of idempotency keys, so it must not change.
   */
  numberingOf(root: string): string {
    return this.plan.isRepeatable(root) ? root : `${root} (life ${this.incarnation})`;
  }

  /** The progress of a root over all incarnations, given the progress of this one. */
  progressOf(root: string, now: RootProgress): RootProgress {
    const before = this.roots.get(root);
    return before === undefined ? now : together(before, now);
  }

  /** The past of one task. Its outputs have lineages of `root`. */
  of(task: string, root: string): TaskPast {
    const isAnew = this.plan.startsAnew(task);
    const own = exitLabel({ task });
    const born = this.roots.get(root)?.born ?? 0;
    const lost = this.plan.isSource(root) && !this.plan.isRepeatable(root) ? born : 0;
    const isNeeded = isAnew || this.plan.feedsBoundary(task);
    return {
      isAnew,
      mark: isAnew ? undefined : entry(this.checkpoint.marks, task),
      born: this.plan.isRepeatable(root) ? born : 0,
      lost,
      isDone: (lineage) => lineage < lost || (!isNeeded && this.havePassed(task, root, lineage)),
      isWritten: (lineage) => !isAnew && this.hasPassed(root, own, lineage),
    };
  }

  /** The number of dead letters that stay, after `keeps` was called for every letter. */
  get lettersKept(): number {
    return this.kept;
  }

  /** A test whether a record of `root` can be omitted before the task; undefined if every record must reach it. */
  leftOut(task: string, root: string, isBoundary: boolean): ((lineage: Lineage) => boolean) | undefined {
    if (!this.roots.has(root)) return undefined;
    if (isBoundary && this.plan.isKeptEntry(root, { task, dependency: 0 })) {
      const label = exitLabel({ task, dependency: 0 });
      return (lineage) => this.hasPassed(root, label, lineage) || this.wasGivenUp(task, root, lineage);
    }
    if (isBoundary || this.plan.feedsBoundary(task)) return (lineage) => this.wasGivenUp(task, root, lineage);
    return (lineage) => this.havePassed(task, root, lineage);
  }

  /** A test whether the state of the join in front of the task contains a record of `root`; undefined if it keeps none. */
  enteredJoin(task: string, dependency: number, root: string): ((lineage: Lineage) => boolean) | undefined {
    if (!this.roots.has(root) || !this.plan.isKeptEntry(root, { task, dependency })) return undefined;
    const label = exitLabel({ task, dependency });
    return (lineage) => this.hasPassed(root, label, lineage);
  }

  wasGivenUp(task: string, root: string, lineage: Lineage): boolean {
    return this.givenUp.get(keyOf(task, root))?.has(lineage) === true;
  }

  /**
   * Whether a dead letter stays. It stays if its record has passed every exit that it could reach from the task. Otherwise
   * the task processes the record again, and so must every task that received it as GONE. Call this for every letter, then
   * call `settle`.
   */
  readonly keeps = ({ task, lineage: { root, number } }: LetterHead): boolean => {
    if (!this.roots.has(root) || this.plan.startsAnew(task)) return false;
    const labels = this.plan.labelsOfLetter(task, root);
    if (!labels.every((label) => this.hasPassed(root, label, number))) {
      this.holes.add(root, labels, number);
      return false;
    }
    // A record that is not born again cannot be given up again.
    if (this.plan.isReplayed(root) || number >= (this.roots.get(root)?.watermark ?? 0)) {
      const key = keyOf(task, root);
      this.givenUp.set(key, (this.givenUp.get(key) ?? new Set()).add(number));
    }
    this.kept++;
    return true;
  };

  /** The checkpoint after `keeps` was called for every letter. */
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
 * The checkpoint of a finished run, with holes at the records of these letters. A run that continues from it processes these
 * records again, and no others.
 */
export function redoing(checkpoint: Checkpoint, letters: readonly LetterHead[], plan: ResumePlan): Checkpoint {
  const list = new HoleList();
  for (const { task, lineage } of letters)
    list.add(lineage.root, plan.labelsOfLetter(task, lineage.root), lineage.number);
  const roots = { ...checkpoint.roots };
  for (const [root, holes] of list) {
    const progress = entry(roots, root);
    if (progress !== undefined) setEntry(roots, root, withHoles(progress, holes, plan.labelsOf(root)));
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
