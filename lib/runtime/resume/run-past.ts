/**
 * The work that earlier incarnations of a run have done, for the tasks of the next incarnation.
 *
 * Guarantees: a record is omitted only if every result of the record is already on the disk; a record that a task has
 * given up is given up by this task once, also if the run is resumed several times.
 */
import type { RootLedger } from '../../ledger/ledger.js';
import {
  hasPassed,
  partitionIn,
  partitionsOf,
  together,
  withPartitionHoles,
  type Checkpoint,
  type PartitionHoles,
  type RootProgress,
} from '../../model/checkpoint.js';
import { exitLabel } from '../../model/graph.js';
import type { LetterHead, LineageId } from '../../model/ports.js';
import type { PartitionSpan, TaskPast } from '../../stream/task-scope.js';
import type { Lineage } from '../../model/record.js';
import type { ResumePlan } from './resume-plan.js';
import { entry, setEntry } from '../../text/entry.js';

export class RunPast {
  private readonly plan: ResumePlan;
  private readonly checkpoint: Checkpoint;
  private readonly incarnation: number;
  private readonly roots = new Map<string, RootProgress>();
  /** The ledgers of this incarnation, which map the slots of a divided root to partitions and numbers. */
  private readonly ledgers = new Map<string, RootLedger>();
  /** Per task, root and partition, the numbers of the records that the task has given up. */
  private readonly givenUp = new Map<string, Set<Lineage>>();
  /**
   * Per root and partition, the numbers of the records that a task has given up while a branch behind it had not
   * noticed.
   */
  private readonly partly = new Map<string, Set<Lineage>>();
  private kept = 0;

  /** @param incarnation the number of the current incarnation. */
  constructor(plan: ResumePlan, checkpoint: Checkpoint, incarnation: number) {
    this.plan = plan;
    this.checkpoint = checkpoint;
    this.incarnation = incarnation;
    const ended = new Set(Object.keys(checkpoint.ended ?? {}).flatMap((task) => plan.rootsOf(task)));
    for (const [root, progress] of Object.entries(checkpoint.roots)) {
      // No incarnation repeats the work of a task that has ended, so its progress stays, also if it is not kept
      // otherwise.
      if (plan.isKept(root) || ended.has(root)) this.roots.set(root, progress);
    }
  }

  /**
   * Connects the ledger of a root, before its first birth. The root is divided if its progress is kept per partition.
   */
  connect(root: string, ledger: RootLedger): void {
    this.ledgers.set(root, ledger);
    if (this.isDivided(root)) ledger.divide();
  }

  /**
   * The number of the first record of a root. A boundary that keeps no state emits all its earlier records again,
   * because it receives all its input again; the records that are already done are born as GONE.
   */
  startOf(root: string): Lineage {
    const progress = this.roots.get(root);
    // The lineages of a divided root are slots of one incarnation.
    if (progress === undefined || this.isDivided(root) || this.plan.isReplayed(root)) return 0;
    return this.plan.isSource(root) || this.plan.durability.ofRoot(root) === 'kept' ? progress.watermark : 0;
  }

  /**
   * A name that, together with a lineage of the root, identifies one record over all incarnations of the run. The text
   * is part of idempotency keys, so it must not change.
   */
  numberingOf(root: string): string {
    return this.plan.isRepeatable(root) ? root : `${root} (incarnation ${this.incarnation})`;
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
    const isLost = this.plan.isSource(root) && !this.plan.isRepeatable(root) && !this.isDivided(root);
    const lost = isLost ? born : 0;
    const isNeeded = isAnew || this.plan.feedsBoundary(task);
    return {
      isAnew,
      position: isAnew ? undefined : entry(this.checkpoint.positions, task),
      born: this.plan.isRepeatable(root) && !this.isDivided(root) ? born : 0,
      lost,
      partitions: this.spansOf(root),
      isDone: (lineage) => lineage < lost || (!isNeeded && this.havePassed(task, root, lineage)),
      isWritten: (lineage) => !isAnew && this.hasPassed(root, own, lineage),
    };
  }

  /** The number of dead letters that stay, after `keeps` was called for every letter. */
  get lettersKept(): number {
    return this.kept;
  }

  /**
   * A test whether a record of `root` can be left out in front of the task; undefined if every record must reach it.
   */
  leftOut(task: string, root: string, isBoundary: boolean): ((lineage: Lineage) => boolean) | undefined {
    if (!this.roots.has(root)) return undefined;
    if (isBoundary && this.plan.isKeptEntry(root, { task, dependency: 0 })) {
      const label = exitLabel({ task, dependency: 0 });
      return (lineage) => this.hasPassed(root, label, lineage) || this.wasGivenUp(task, root, lineage);
    }
    const isRepeated = isBoundary || this.plan.feedsBoundary(task);
    return (lineage) => this.wasGivenUp(task, root, lineage) || (!isRepeated && this.havePassed(task, root, lineage));
  }

  /** Whether the record has passed this exit permanently. */
  hasLeft(root: string, label: string, lineage: Lineage): boolean {
    return this.hasPassed(root, label, lineage);
  }

  /**
   * A test whether the state of the join in front of the task contains a record of `root`; undefined if the join keeps
   * no state.
   */
  enteredJoin(task: string, dependency: number, root: string): ((lineage: Lineage) => boolean) | undefined {
    if (!this.roots.has(root) || !this.plan.isKeptEntry(root, { task, dependency })) return undefined;
    const label = exitLabel({ task, dependency });
    return (lineage) => this.hasPassed(root, label, lineage);
  }

  wasGivenUp(task: string, root: string, lineage: Lineage): boolean {
    const { partition, number } = this.identify(root, lineage);
    return this.givenUp.get(keyOf(task, root, partition))?.has(number) === true;
  }

  /** Whether a task gave up the record, and a branch behind the task does not know it yet. */
  isPartlyGivenUp(root: string, lineage: Lineage): boolean {
    if (this.partly.size === 0) return false;
    const { partition, number } = this.identify(root, lineage);
    return this.partly.get(JSON.stringify([root, partition]))?.has(number) === true;
  }

  /**
   * Whether a dead letter stays; if not, the task processes its record again. It stays if the task has ended. It also
   * stays if its record has passed an exit behind the task, because the work behind this exit has counted the record as
   * ended. Call this for every letter.
   */
  readonly keeps = ({ task, lineage: { root, partition, number } }: LetterHead): boolean => {
    // Nothing processes the records of a task that has ended.
    if (entry(this.checkpoint.ended ?? {}, task) !== undefined) {
      this.kept++;
      return true;
    }
    if (!this.roots.has(root) || this.plan.startsAnew(task)) return false;
    const labels = this.plan.labelsOfLetter(task, root);
    const progress = partitionIn(this.roots.get(root), partition);
    if (progress === undefined) return false;
    if (labels.length > 0 && !labels.some((label) => hasPassed(progress, label, number))) return false;
    // A record that is not born again cannot be given up again.
    const watermark = partitionIn(this.roots.get(root), partition)?.watermark ?? 0;
    if (this.plan.isReplayed(root) || number >= watermark) {
      addTo(this.givenUp, keyOf(task, root, partition), number);
      if (!labels.every((label) => hasPassed(progress, label, number))) {
        addTo(this.partly, JSON.stringify([root, partition]), number);
      }
    }
    this.kept++;
    return true;
  };

  private havePassed(task: string, root: string, lineage: Lineage): boolean {
    return this.plan.labelsAfter(task).every((label) => this.hasPassed(root, label, lineage));
  }

  private hasPassed(root: string, label: string, lineage: Lineage): boolean {
    const { partition, number } = this.identify(root, lineage);
    const progress = partitionIn(this.roots.get(root), partition);
    return progress !== undefined && hasPassed(progress, label, number);
  }

  /** The partition and the number of a lineage of this incarnation. */
  private identify(root: string, lineage: Lineage): Pick<LineageId, 'partition' | 'number'> {
    return this.ledgers.get(root)?.identify(lineage) ?? { partition: 0, number: lineage };
  }

  private isDivided(root: string): boolean {
    return this.roots.get(root)?.partitions !== undefined;
  }

  /** The partitions of a source that earlier incarnations have read, with the records that this incarnation needs. */
  private spansOf(root: string): ReadonlyMap<number, PartitionSpan> {
    const progress = this.roots.get(root);
    if (progress === undefined || !this.plan.isSource(root)) return new Map();
    const isReplayed = this.plan.isReplayed(root);
    const isRepeatable = this.plan.isRepeatable(root);
    return new Map(
      Object.entries(partitionsOf(progress)).map(([partition, { first = 0, watermark, born }]) => {
        const from = isRepeatable ? watermark : born;
        return [Number(partition), { first, from: isReplayed ? first : from, born }];
      }),
    );
  }
}

/**
 * The checkpoint of a finished run, with holes at the records of these letters. A run that continues from it processes
 * these records again, and no others.
 */
export function redoing(checkpoint: Checkpoint, letters: readonly LetterHead[], plan: ResumePlan): Checkpoint {
  const list = new HoleList();
  for (const { task, lineage } of letters) list.add(lineage, plan.labelsOfLetter(task, lineage.root));
  const roots = { ...checkpoint.roots };
  for (const [root, holes] of list) {
    const progress = entry(roots, root);
    if (progress !== undefined) setEntry(roots, root, withPartitionHoles(progress, holes, plan.labelsOf(root)));
  }
  return {
    ...checkpoint,
    ...(checkpoint.ended && { ended: withoutParts(checkpoint.ended, letters, plan) }),
    roots,
    isComplete: false,
  };
}

/** The tasks that have ended, without those that receive records again. */
function withoutParts(
  ended: NonNullable<Checkpoint['ended']>,
  letters: readonly LetterHead[],
  plan: ResumePlan,
): NonNullable<Checkpoint['ended']> {
  const again = new Set(letters.flatMap(({ task }) => plan.partOf(task)));
  return Object.fromEntries(Object.entries(ended).filter(([task]) => !again.has(task)));
}

/** Collects holes in any order. */
class HoleList {
  /** By root, partition and exit. */
  private readonly roots = new Map<string, Map<number, Map<string, Set<Lineage>>>>();

  add({ root, partition, number }: LineageId, labels: readonly string[]): void {
    const partitions = this.roots.get(root) ?? new Map<number, Map<string, Set<Lineage>>>();
    this.roots.set(root, partitions);
    const exits = partitions.get(partition) ?? new Map<string, Set<Lineage>>();
    partitions.set(partition, exits);
    for (const label of labels) exits.set(label, (exits.get(label) ?? new Set()).add(number));
  }

  *[Symbol.iterator](): Generator<[string, PartitionHoles]> {
    for (const [root, partitions] of this.roots) {
      yield [root, new Map([...partitions].map(([partition, exits]) => [partition, sorted(exits)] as const))];
    }
  }
}

function sorted(exits: ReadonlyMap<string, ReadonlySet<Lineage>>): ReadonlyMap<string, readonly Lineage[]> {
  return new Map([...exits].map(([label, lineages]) => [label, [...lineages].sort((a, b) => a - b)] as const));
}

function addTo(numbers: Map<string, Set<Lineage>>, key: string, number: Lineage): void {
  numbers.set(key, (numbers.get(key) ?? new Set()).add(number));
}

function keyOf(task: string, root: string, partition: number): string {
  return JSON.stringify([task, root, partition]);
}
