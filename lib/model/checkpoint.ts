/**
 * Checkpoints: what a run must remember to go on after its process died, and what remembers it.
 *
 * Promise of the format: plain data that survives JSON; a reader knows the format by its number, and the whole progress
 * of a run stands in one value, so that it can be put in place by one rename.
 */
import type { Lineage } from './record.js';
import { holds, intersect, leaveOut, unite, type Runs } from './lineage-ranges.js';
import type { TouchedFile } from './touched-file.js';

/** What survives JSON unchanged. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export const CHECKPOINT_FORMAT = 1;

/** The progress of one root. */
export interface RootProgress {
  /** Every lineage below this one has settled. */
  readonly watermark: Lineage;
  /** The first lineage that was not born. */
  readonly born: Lineage;
  /** By exit, the lineages from the watermark on that have passed it. */
  readonly passed: Readonly<Record<string, Runs>>;
}

/** The records of one root that need never be read again: they have passed every exit, for good. */
export interface SettledProgress {
  /** Every number below this one has settled. */
  readonly watermark: Lineage;
  /** The numbers above the watermark that have settled, as flat ranges: [from, to) pairs, ascending. */
  readonly done: readonly number[];
}

/** What a run was made from. A resumed run must be made from the same. */
export interface RunDefinition {
  /** The name of the workflow. */
  readonly workflow: string;
  /** By task: its kind, its dependencies and how they are joined. */
  readonly tasks: Readonly<Record<string, string>>;
  /** By key of the configuration: a hash of its value, so that no secret is written down. */
  readonly config: Readonly<Record<string, string>>;
}

/** The whole progress of a run at one moment, as plain data that survives JSON. */
export interface Checkpoint {
  /** The version of this shape; another one is refused with MILLRACE_RESUME. */
  readonly format: typeof CHECKPOINT_FORMAT;
  /** The same in every life of the run. */
  readonly runId: string;
  /** Which life of the run wrote it, from 1. */
  readonly incarnation: number;
  /** When it was taken, and when the run was first started: milliseconds since 1970. */
  readonly at: number;
  /** When the run was first started, milliseconds since 1970. */
  readonly startedAt: number;
  /** The seed of the run's randomness, which a resumed run takes over. */
  readonly seed: number;
  /** What a resumed run is compared with; a difference is MILLRACE_RESUME. */
  readonly definition: RunDefinition;
  /** By source, what its input is; an input that has changed cannot be gone on with. */
  readonly inputs: Readonly<Record<string, Json>>;
  /** By the name of the root, how far its lineages have come. */
  readonly roots: Readonly<Record<string, RootProgress>>;
  /** By task, how far what it keeps (a file) or reads had come. */
  readonly marks: Readonly<Record<string, Json>>;
  /** How far the dead letters had come; null where their store keeps nothing. */
  readonly deadLetters: Json;
  /** Why the run cannot be resumed, if it cannot. */
  readonly obstacle?: string;
  /** Every record has settled; what was left to do is to give results their names. */
  readonly isComplete: boolean;
}

/**
 * Keeps the checkpoints of one run.
 *
 * Contract: `read` gives the last checkpoint that was written whole, or undefined before the first; a `write` that
 * resolved survives the loss of the process and of power; one that was cut short leaves the checkpoint before it in
 * place. At most one `write` is outstanding. `write` rejects with MILLRACE_LOCKED once another life of the run has
 * begun, so that a process that only seemed dead cannot undo what its successor did.
 */
export interface CheckpointStore {
  /** Which life of the run it serves, from 1. */
  readonly incarnation: number;
  /** The last checkpoint that was written whole; undefined before the first. */
  read(): Promise<Checkpoint | undefined>;
  /**
   * Resolves when the checkpoint would survive the loss of power. Rejects with MILLRACE_LOCKED once
   * another life of the run has begun.
   */
  write(checkpoint: Checkpoint): Promise<void>;
  /** The files it writes, where it writes any: no task may read or write them. */
  files?(): readonly TouchedFile[];
}

/** Whether earlier lives have brought the lineage past this exit for good. */
export function hasPassed({ watermark, passed }: RootProgress, exit: string, lineage: Lineage): boolean {
  return lineage < watermark || holds(passed[exit] ?? [], lineage);
}

/** The records that have passed all of these exits. */
export function settledOf({ watermark, passed }: RootProgress, exits: readonly string[]): SettledProgress {
  const [first = [], ...others] = exits.map((exit) => passed[exit] ?? []);
  return { watermark, done: others.reduce<Runs>(intersect, first) };
}

/** The progress of several lives: what one of them has done is done. */
export function together(before: RootProgress, now: RootProgress): RootProgress {
  const watermark = Math.max(before.watermark, now.watermark);
  const passed: Record<string, Runs> = {};
  for (const exit of new Set([...Object.keys(before.passed), ...Object.keys(now.passed)])) {
    const above = unite(before.passed[exit] ?? [], now.passed[exit] ?? [], watermark);
    if (above.length > 0) passed[exit] = above;
  }
  return { watermark, born: Math.max(before.born, now.born), passed };
}

/** Lineages to be brought past an exit again, by its label; ascending. */
export type Holes = ReadonlyMap<string, readonly Lineage[]>;

/** The progress without what is to be done again. `exits` are the labels of all exits of the root. */
export function withHoles(progress: RootProgress, holes: Holes, exits: readonly string[]): RootProgress {
  const watermark = Math.min(progress.watermark, ...[...holes.values()].map(([first = Infinity]) => first));
  const passed: Record<string, Runs> = {};
  for (const exit of exits) {
    const all = unite(progress.passed[exit] ?? [], [watermark, progress.watermark], watermark);
    const left = leaveOut(all, holes.get(exit) ?? []);
    if (left.length > 0) passed[exit] = left;
  }
  return { watermark, born: progress.born, passed };
}
