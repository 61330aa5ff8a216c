/**
 * Finds the folder from which the relative paths of a kept run are resolved, also after the project was moved.
 *
 * Guarantees: while the folder in which a run was started exists, the run is resumed only there. So processes in two
 * folders never work on one run.
 */
import { existsSync } from 'node:fs';
import { sep } from 'node:path';
import { MillraceError } from '../model/errors.js';
import type { RunFolder } from '../storage/run-folder.js';
import { absolutePath, DEFAULT_RUNS_FOLDER, type JobPlace } from './place.js';

/** The folder from which the relative paths of the run are resolved. */
export function homeOf({ manifest, path }: RunFolder): string {
  const end = `${DEFAULT_RUNS_FOLDER.replaceAll('/', sep)}${sep}${manifest.runId}`;
  if (existsSync(manifest.cwd)) return manifest.cwd;
  if (path === end) return '.';
  return path.endsWith(sep + end) ? path.slice(0, -end.length - sep.length) : manifest.cwd;
}

/**
 * Throws MILLRACE_RESUME unless the place is the folder of the start of the run, or the folder that it was moved to.
 */
export function assertSamePlace({ manifest: { runId, cwd } }: RunFolder, place: JobPlace): void {
  if (absolutePath(place, cwd) === absolutePath(place, '.') || !existsSync(cwd)) return;
  throw new MillraceError(
    'MILLRACE_RESUME',
    `Run ${runId} was started in ${cwd}, and its paths are relative to that folder. Resume it there`,
  );
}
