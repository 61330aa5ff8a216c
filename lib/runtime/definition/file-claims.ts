/**
 * Checks that no two parts of one run use one file in conflict: the files that its tasks read and write, its dead
 * letters, its checkpoints, and the other files about the run.
 *
 * Guarantees: the check uses paths and the files that exist already, before anything is opened.
 */
import { MillraceError } from '../../model/errors.js';
import type { PhasePlan } from '../../model/phases.js';
import type { TouchedFile } from '../../model/touched-file.js';
import type { TaskDeclaration } from '../../tasks/flow.js';

/** A file that a part of the run reads or writes, with the name of that part. */
export interface FileClaim extends TouchedFile {
  /** For messages: `'Offers'`, `--events`. */
  readonly by: string;
  /** The number of the phase that uses the file. Undefined if it is used for the whole run. */
  readonly phase?: number | undefined;
}

/** The files that the tasks read and write. */
export function claimsOf(declarations: readonly TaskDeclaration[], phases: readonly PhasePlan[]): FileClaim[] {
  const users = declarations.flatMap(({ name, task }) => {
    const files = task.files();
    return files.length === 0 ? [] : [{ name, files }];
  });
  if (users.length === 0) return [];
  const phaseOf = new Map(
    phases.flatMap(({ parts }, phase) => parts.flatMap(({ tasks }) => tasks.map((task) => [task, phase] as const))),
  );
  return users.flatMap(({ name, files }) =>
    claimsBy(`'${name}'`, files).map((claim) => ({ ...claim, phase: phaseOf.get(name) })),
  );
}

/** The files that one task or option reads and writes. */
export function claimsBy(by: string, files: readonly TouchedFile[] = []): FileClaim[] {
  return files.map((file) => ({ ...file, by }));
}

/** Throws MILLRACE_FILE if two parts write one file, or one part writes a file that another part reads. */
export function assertDistinctFiles(claims: readonly FileClaim[]): void {
  const writers = new Map<string, FileClaim>();
  const writerOf = (claim: FileClaim): FileClaim | undefined => {
    const writer = keysOf(claim).map((key) => writers.get(key));
    return writer.find((other) => other !== undefined && other.by !== claim.by);
  };
  for (const claim of claims) {
    if (claim.use === 'read') continue;
    const other = writerOf(claim);
    if (other !== undefined) {
      const what = bothNames(claim, other);
      throw new MillraceError(
        'MILLRACE_FILE',
        `${other.by} and ${claim.by} both write ${what}: give each a file of its own`,
      );
    }
    for (const key of keysOf(claim)) writers.set(key, claim);
  }
  for (const claim of claims) {
    const writer = claim.use === 'read' ? writerOf(claim) : undefined;
    // What an earlier phase has written is in place when a later one reads it.
    if (writer === undefined || (writer.phase ?? Infinity) < (claim.phase ?? 0)) continue;
    const way = writer.onTheWayTo === undefined ? '' : `, on the way to ${writer.onTheWayTo}`;
    throw new MillraceError(
      'MILLRACE_FILE',
      `${writer.by} would write over what ${claim.by} reads, ${bothNames(claim, writer)}${way}: choose another path for it`,
    );
  }
}

/** A file without identities is known by its path alone. */
function keysOf({ path, identity }: TouchedFile): readonly string[] {
  return identity === undefined || identity === path ? [path] : [path, identity];
}

function bothNames(one: TouchedFile, other: TouchedFile): string {
  return one.path === other.path ? one.path : `${one.path}, which is the same file as ${other.path}`;
}
