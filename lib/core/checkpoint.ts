/**
 * Checkpoints: what a run must remember to go on after its process died, and what remembers it.
 *
 * Promise of the format: plain data that survives JSON; a reader knows the format by its number, and the whole progress
 * of a run stands in one value, so that it can be put in place by one rename.
 */
import type { Lineage } from './record.js';

/** What survives JSON unchanged. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export const CHECKPOINT_FORMAT = 1;

/** The progress of one root. */
export interface RootProgress {
  /** Every lineage below this one has settled. */
  readonly watermark: Lineage;
  /** The first lineage that was not born. */
  readonly born: Lineage;
  /** By exit, the lineages above the watermark that have passed it, ascending, as pairs [from, to). */
  readonly passed: Readonly<Record<string, readonly number[]>>;
}

/** What a run was made from. A resumed run must be made from the same. */
export interface RunDefinition {
  readonly workflow: string;
  /** By task: its kind, its dependencies and how they are joined. */
  readonly tasks: Readonly<Record<string, string>>;
  /** By key of the configuration: a hash of its value, so that no secret is written down. */
  readonly config: Readonly<Record<string, string>>;
}

export interface Checkpoint {
  readonly format: typeof CHECKPOINT_FORMAT;
  readonly runId: string;
  /** Which life of the run wrote it, from 1. */
  readonly incarnation: number;
  /** When it was taken, and when the run was first started: milliseconds since 1970. */
  readonly at: number;
  readonly startedAt: number;
  readonly seed: number;
  readonly definition: RunDefinition;
  /** By source, what its input is; an input that has changed cannot be gone on with. */
  readonly inputs: Readonly<Record<string, Json>>;
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
  read(): Promise<Checkpoint | undefined>;
  write(checkpoint: Checkpoint): Promise<void>;
}

/** What earlier lives of a run have done with the lineages of one root. */
export interface RootPast {
  /** Whether the lineage has passed this exit for good. */
  hasPassed(exit: string, lineage: Lineage): boolean;
}

/** The past that a checkpoint tells of. */
export function pastOf({ watermark, passed }: RootProgress): RootPast {
  const above = new Map(Object.entries(passed).map(([exit, runs]) => [exit, new Set(lineagesIn(runs))]));
  return { hasPassed: (exit, lineage) => lineage < watermark || above.get(exit)?.has(lineage) === true };
}

/** The progress of several lives: what one of them has done is done. */
export function together(before: RootProgress, now: RootProgress): RootProgress {
  const watermark = Math.max(before.watermark, now.watermark);
  const passed: Record<string, readonly number[]> = {};
  for (const exit of new Set([...Object.keys(before.passed), ...Object.keys(now.passed)])) {
    const above = union([...(before.passed[exit] ?? []), ...(now.passed[exit] ?? [])], watermark);
    if (above.length > 0) passed[exit] = above;
  }
  return { watermark, born: Math.max(before.born, now.born), passed };
}

/** The union of runs [from, to), from `least` on, ascending. */
function union(runs: readonly number[], least: Lineage): number[] {
  const pairs: [number, number][] = [];
  for (let i = 0; i + 1 < runs.length; i += 2) pairs.push([Math.max(least, runs[i] as number), runs[i + 1] as number]);
  pairs.sort(([a], [b]) => a - b);
  const merged: number[] = [];
  for (const [from, to] of pairs) {
    if (to <= from) continue;
    const end = merged.at(-1);
    if (end !== undefined && from <= end) merged[merged.length - 1] = Math.max(end, to);
    else merged.push(from, to);
  }
  return merged;
}

/** The past in which everything was done except these lineages. */
export function allBut(lineages: ReadonlySet<Lineage>): RootPast {
  return { hasPassed: (_, lineage) => !lineages.has(lineage) };
}

function* lineagesIn(runs: readonly number[]): Generator<Lineage> {
  for (let i = 0; i + 1 < runs.length; i += 2) {
    for (let lineage = runs[i] as number; lineage < (runs[i + 1] as number); lineage++) yield lineage;
  }
}
