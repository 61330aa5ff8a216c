/**
 * The folder of a run that cannot be read, because a file in it is torn or was changed by hand.
 *
 * Guarantees: the folder is removed only on a request with its id, while no process works on it, and if it contains
 * nothing but files of a run.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError } from '../model/errors.js';
import { isAlive, lastIncarnation } from './incarnations.js';

/** A run that cannot be read. */
export interface BrokenRun {
  readonly runId: string;
  readonly path: string;
  /** The reason why it cannot be read. */
  readonly error: MillraceError;
}

/** The names of all files of a run, including temporary ones. */
const OF_A_RUN =
  /^(?:(?:manifest|incarnation-\d+|checkpoint|summary|plan|broken-law)\.json(?:\.[\da-f]+)?(?:\.tmp)?(?:\.previous)?|checkpoint-state-\d+-\d+\.log|(?:dead-letters|events)\.ndjson(?:\.kept-\d+|\.owner(?:\.[\da-f]+\.tmp)?)?|report\.html)$/;

/** The advice for a file of this run that is not JSON. */
export function mendBroken(runId: string): string {
  return `remove it with 'runs clean ${runId}'`;
}

/**
 * Removes the folder, which need not be broken. Throws MILLRACE_LOCKED if a process works on the run, and MILLRACE_FILE if it holds other files.
 */
export async function removeBroken({ runId, path }: Pick<BrokenRun, 'runId' | 'path'>): Promise<void> {
  const incarnation = await lastIncarnation(path);
  if (incarnation !== undefined && (await isAlive(path, incarnation))) {
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
