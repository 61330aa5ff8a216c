/**
 * Checkpoints: the data that a run needs to resume after its process died, and the port that stores them.
 *
 * Guarantees of the format: it is plain data that survives JSON; `format` is its version; the whole progress of a run
 * is one value, so one rename puts it in place.
 */
import type { Lineage } from './record.js';
import { containsLineage, excludeLineages, intersect, uniteRanges, type LineageRanges } from './lineage-ranges.js';
import type { Json } from './json.js';
import type { TaskCounts } from './metrics.js';
import type { StateStore } from './state.js';
import type { TouchedFile } from './touched-file.js';

export type { Json };

/** The version of `Checkpoint`. */
export const CHECKPOINT_FORMAT = 1;

/** The progress of the records of one numbering: of a root, or of one partition of a root. */
export interface LedgerProgress {
  /** The number of the first record of all. Default 0. */
  readonly first?: Lineage;
  /** Every lineage below this one has settled. */
  readonly watermark: Lineage;
  /** The first lineage that was not born. */
  readonly born: Lineage;
  /** By exit: the lineages from the watermark on that have passed it. */
  readonly passed: Readonly<Record<string, LineageRanges>>;
}

/** The progress of one root. */
export interface RootProgress extends LedgerProgress {
  /**
   * For a source with several partitions: the progress of each, by its number. Then `watermark` and `born` are counts:
   * the sums over the partitions, each from its first record on; and `passed` is empty.
   */
  readonly partitions?: Readonly<Record<string, LedgerProgress>>;
}

/** The records of one root that need never be read again: they have passed every exit, for good. */
export interface SettledProgress {
  /** Every number below this one has settled. */
  readonly watermark: Lineage;
  /** The numbers above the watermark that have settled, as flat ranges: [from, to) pairs, ascending. */
  readonly done: readonly number[];
  /** For a source with several partitions: the settled records of each, by its number. */
  readonly partitions?: Readonly<Record<string, SettledProgress>>;
}

/** The definition of a run. A resumed run must have an equal definition. */
export interface RunDefinition {
  /** The name of the workflow. */
  readonly workflow: string;
  /** By task: its kind, its dependencies and its join, for messages. */
  readonly tasks: Readonly<Record<string, string>>;
  /**
   * By task: its facts, its dependencies and its join, without names that are only shown. Absent in checkpoints of
   * earlier versions, for which `tasks` are compared.
   */
  readonly structure?: Readonly<Record<string, string>>;
  /** By configuration key: a hash of the value, so that no secret is written down. */
  readonly config: Readonly<Record<string, string>>;
}

/** The whole progress of a run at one moment, as plain data that survives JSON. */
export interface Checkpoint {
  /** The version of this shape; any other is refused with MILLRACE_RESUME. */
  readonly format: typeof CHECKPOINT_FORMAT;
  /** The same in every incarnation of the run. */
  readonly runId: string;
  /** The number of the incarnation that wrote it, from 1. */
  readonly incarnation: number;
  /** When the checkpoint was made, milliseconds since 1970. */
  readonly at: number;
  /** When the run was first started, milliseconds since 1970. */
  readonly startedAt: number;
  /** The seed of the run's randomness; a resumed run continues with it. */
  readonly seed: number;
  /** A resumed run compares its own definition with this one; a difference is MILLRACE_RESUME. */
  readonly definition: RunDefinition;
  /** By source: the identity of its input. A run cannot resume with a changed input. */
  readonly inputs: Readonly<Record<string, Json>>;
  /** By root: the progress of its lineages. */
  readonly roots: Readonly<Record<string, RootProgress>>;
  /** By task: its position in the file or input that it writes or reads. */
  readonly positions: Readonly<Record<string, Json>>;
  /** The position in the dead letters; null if their store is not durable. */
  readonly deadLetters: Json;
  /** The position of the durable state of boundaries; undefined if the store of the run keeps none. */
  readonly state?: Json;
  /**
   * Boundaries whose outputs depended on more than their input, such as on time: the tasks behind them process all
   * records again.
   */
  readonly uncertain?: readonly string[];
  /** The reason why the run cannot be resumed, if there is one. */
  readonly obstacle?: string;
  /**
   * By task that has completed with its phase, so that its results are in place: its counts. A resumed run does not
   * open it again.
   */
  readonly ended?: Readonly<Record<string, TaskCounts>>;
  /** True once every record has settled; only renaming the results is left. */
  readonly isComplete: boolean;
}

/**
 * Stores the checkpoints of one run.
 *
 * Contract: `read` returns the last checkpoint that was written completely, or undefined before the first. A resolved
 * `write` survives the loss of the process and of power. An interrupted `write` leaves the previous checkpoint in
 * place. At most one `write` is outstanding. `write` rejects with MILLRACE_LOCKED once another incarnation of the run
 * has begun, so that a process that only seemed dead cannot undo the work of its successor.
 */
export interface CheckpointStore {
  /** The number of the incarnation that it serves, from 1. */
  readonly incarnation: number;
  /** The last checkpoint that was written completely; undefined before the first. */
  read(): Promise<Checkpoint | undefined>;
  /**
   * Resolves when the checkpoint would survive the loss of power. Rejects with MILLRACE_LOCKED once another incarnation
   * of the run has begun.
   */
  write(checkpoint: Checkpoint): Promise<void>;
  /** The files that the store writes, if any: no task may read or write them. */
  files?(): readonly TouchedFile[];
  /** Stores the state of boundaries. Without it, boundaries receive their whole input again in a resumed run. */
  readonly state?: StateStore;
  /**
   * Throws MILLRACE_LOCKED once another incarnation has begun. Called before each write of the run, so it must be fast.
   */
  assertOwned?(): void;
  /** Adds a listener, called once if another incarnation has begun while this one worked. The run then fails. */
  whenLost?(listener: (error: unknown) => void): void;
}

/** Whether earlier incarnations have brought the lineage past this exit for good. */
export function hasPassed({ watermark, passed }: LedgerProgress, exit: string, lineage: Lineage): boolean {
  return lineage < watermark || containsLineage(passed[exit] ?? [], lineage);
}

/** The progress in which these lineages have passed the exit too: the state of a boundary contains them. */
export function withPassed(progress: RootProgress, exit: string, lineages: readonly Lineage[]): RootProgress {
  // A boundary behind several partitions keeps no state that names records by number.
  if (lineages.length === 0 || progress.partitions !== undefined) return progress;
  const ranges = [...lineages].sort((a, b) => a - b).flatMap((lineage) => [lineage, lineage + 1]);
  const passed = uniteRanges(progress.passed[exit] ?? [], uniteRanges(ranges, [], 0), progress.watermark);
  return { ...progress, passed: { ...progress.passed, [exit]: passed } };
}

/** The progress per partition. A root without partitions has one, 0, from its first birth on. */
export function partitionsOf(progress: RootProgress): Readonly<Record<string, LedgerProgress>> {
  // Before the first birth it is not known whether the source has partitions.
  return progress.partitions ?? (progress.born === 0 ? {} : { 0: progress });
}

/** The progress of one partition; undefined if no incarnation has opened it. */
export function partitionIn(progress: RootProgress | undefined, partition: number): LedgerProgress | undefined {
  if (progress?.partitions !== undefined) return progress.partitions[partition];
  return partition === 0 ? progress : undefined;
}

/** The progress of a root with these partitions. */
export function rootProgressOf(partitions: Readonly<Record<string, LedgerProgress>>): RootProgress {
  const sum = (count: (progress: LedgerProgress) => number): number =>
    Object.values(partitions).reduce((total, progress) => total + count(progress) - (progress.first ?? 0), 0);
  return { watermark: sum(({ watermark }) => watermark), born: sum(({ born }) => born), passed: {}, partitions };
}

/** The records that have passed all of these exits. */
export function settledOf(progress: RootProgress, exits: readonly string[]): SettledProgress {
  const { watermark, passed, partitions } = progress;
  const [first = [], ...others] = exits.map((exit) => passed[exit] ?? []);
  const settled = { watermark, done: others.reduce<LineageRanges>(intersect, first) };
  if (partitions === undefined) return settled;
  const each = Object.entries(partitions).map(([partition, own]) => [partition, settledOf(own, exits)]);
  return { ...settled, partitions: Object.fromEntries(each) as Record<string, SettledProgress> };
}

/**
 * The combined progress of two incarnations: work that one of them has done is done. Partitions that one of them has
 * not opened keep their progress.
 */
export function together(before: RootProgress, now: RootProgress): RootProgress {
  if (before.partitions === undefined && now.partitions === undefined) return combined(before, now);
  const partitions: Record<string, LedgerProgress> = { ...partitionsOf(before) };
  for (const [partition, progress] of Object.entries(partitionsOf(now))) {
    const earlier = partitions[partition];
    partitions[partition] = earlier === undefined ? progress : combined(earlier, progress);
  }
  return rootProgressOf(partitions);
}

function combined(before: LedgerProgress, now: LedgerProgress): LedgerProgress {
  const { first } = before;
  const watermark = Math.max(before.watermark, now.watermark);
  const passed: Record<string, LineageRanges> = {};
  for (const exit of new Set([...Object.keys(before.passed), ...Object.keys(now.passed)])) {
    const above = uniteRanges(before.passed[exit] ?? [], now.passed[exit] ?? [], watermark);
    if (above.length > 0) passed[exit] = above;
  }
  return { ...(first !== undefined && { first }), watermark, born: Math.max(before.born, now.born), passed };
}

/** By exit label: lineages that must pass the exit again, in ascending order. */
export type Holes = ReadonlyMap<string, readonly Lineage[]>;

/** By partition: its holes. */
export type PartitionHoles = ReadonlyMap<number, Holes>;

/**
 * The progress of a root without the lineages in the holes of its partitions. `exits` are the labels of all its exits.
 */
export function withPartitionHoles(
  progress: RootProgress,
  holes: PartitionHoles,
  exits: readonly string[],
): RootProgress {
  if (progress.partitions === undefined) return withHoles(progress, holes.get(0) ?? new Map<string, never>(), exits);
  const partitions: Record<string, LedgerProgress> = { ...progress.partitions };
  for (const [partition, own] of holes) {
    const before = partitions[partition];
    if (before !== undefined) partitions[partition] = withHoles(before, own, exits);
  }
  return rootProgressOf(partitions);
}

/**
 * The progress without the lineages in `holes`, which are processed again. `exits` are the labels of all exits of the
 * root.
 */
export function withHoles(progress: LedgerProgress, holes: Holes, exits: readonly string[]): LedgerProgress {
  const watermark = Math.min(progress.watermark, ...[...holes.values()].map(([first = Infinity]) => first));
  const passed: Record<string, LineageRanges> = {};
  for (const exit of exits) {
    const all = uniteRanges(progress.passed[exit] ?? [], [watermark, progress.watermark], watermark);
    const left = excludeLineages(all, holes.get(exit) ?? []);
    if (left.length > 0) passed[exit] = left;
  }
  return { ...progress, watermark, passed };
}
