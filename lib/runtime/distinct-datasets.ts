/**
 * Keeps the tasks of one workflow from writing over each other, and over what they read. Promise: decided by paths, before
 * anything is opened.
 */
import { MillraceError } from '../core/errors.js';
import type { TaskDeclaration } from '../tasks/flow.js';

/** Throws MILLRACE_FILE where two tasks write one file, or one writes what another reads. */
export function assertDistinctDatasets(declarations: readonly TaskDeclaration[]): void {
  const readers = new Map<string, string>();
  const writers = new Map<string, string>();
  for (const { name, task } of declarations) {
    const path = task.dataset?.path;
    if (path === undefined) continue;
    if (task.bearing === 'source') {
      readers.set(path, name);
      continue;
    }
    const other = writers.get(path);
    if (other !== undefined) {
      throw new MillraceError(
        'MILLRACE_FILE',
        `'${other}' and '${name}' both write ${path}: give each a file of its own`,
      );
    }
    writers.set(path, name);
  }
  for (const [path, writer] of writers) {
    const reader = readers.get(path);
    if (reader === undefined) continue;
    throw new MillraceError(
      'MILLRACE_FILE',
      `The output of '${writer}' is the same file as the input of '${reader}', ${path}: choose another path for the output`,
    );
  }
}
