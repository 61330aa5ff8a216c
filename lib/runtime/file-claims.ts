/**
 * Keeps the files of one run apart: those its tasks read and write, its dead letters, and what else is written about it.
 * Promise: decided by paths, before anything is opened.
 */
import { MillraceError } from '../core/errors.js';
import type { TaskDeclaration } from '../tasks/flow.js';

/** Who reads or writes which file. */
export interface FileClaim {
  /** For messages: `'Offers'`, `--events`. */
  readonly by: string;
  /** Absolute. */
  readonly path: string;
  /** Several may read one file. */
  readonly reads?: boolean;
}

/** What the tasks read and write. */
export function claimsOf(declarations: readonly TaskDeclaration[]): FileClaim[] {
  return declarations.flatMap(({ name, task }) => {
    const path = task.dataset?.path;
    return path === undefined ? [] : [{ by: `'${name}'`, path, reads: task.bearing === 'source' }];
  });
}

/** Throws MILLRACE_FILE where two write one file, or one writes what another reads. */
export function assertDistinctFiles(claims: readonly FileClaim[]): void {
  const readers = new Map<string, string>();
  const writers = new Map<string, string>();
  for (const { by, path, reads = false } of claims) {
    const other = writers.get(path);
    if (reads) readers.set(path, by);
    else if (other === undefined) writers.set(path, by);
    else throw new MillraceError('MILLRACE_FILE', `${other} and ${by} both write ${path}: give each a file of its own`);
  }
  for (const [path, writer] of writers) {
    const reader = readers.get(path);
    if (reader === undefined) continue;
    throw new MillraceError(
      'MILLRACE_FILE',
      `${writer} would write over what ${reader} reads, ${path}: choose another path for it`,
    );
  }
}
