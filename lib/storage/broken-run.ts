/**
 * The folder of a run that cannot be read: a file in it is torn, or was changed by hand. Promise: it is removed only where
 * somebody asks for it by its id, nobody works on it, and all that is in it was written by a run.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError } from '../model/errors.js';
import { isAlive, lastIncarnation } from './incarnations.js';

export interface BrokenRun {
  readonly runId: string;
  readonly path: string;
  /** What is wrong with it. */
  readonly error: MillraceError;
}

/** Every name that a run gives, those of files on their way included. */
const OF_A_RUN =
  /^(?:(?:manifest|incarnation-\d+|checkpoint|summary|broken-law)\.json(?:\.\d+)?(?:\.tmp)?|(?:dead-letters|events)\.ndjson(?:\.kept-\d+)?|report\.html)$/;

/** What to do about a file of this run that is not JSON. */
export function mendBroken(runId: string): string {
  return `remove it with 'runs clean ${runId}'`;
}

/** Throws MILLRACE_LOCKED where somebody works on it, and MILLRACE_FILE where the folder holds something else too. */
export async function removeBroken({ runId, path }: BrokenRun): Promise<void> {
  const incarnation = await lastIncarnation(path);
  if (incarnation !== undefined && (await isAlive(incarnation))) {
    throw new MillraceError(
      'MILLRACE_LOCKED',
      `Run ${runId} is being worked on by process ${incarnation.pid}. Wait for it`,
    );
  }
  const foreign = (await readdir(path)).find((name) => !OF_A_RUN.test(name));
  if (foreign !== undefined) {
    throw new MillraceError(
      'MILLRACE_FILE',
      `Cannot remove ${path}: it holds ${foreign}, which no run writes. Look at ${join(path, foreign)}, and remove the folder yourself`,
    );
  }
  await rm(path, { recursive: true, force: true });
}
