/**
 * The checkpoint of a run as a JSON file.
 *
 * Guarantees: the file always contains a complete checkpoint. Each one is written to a file beside it, synced and renamed, and
 * then the folder is synced. Anything but a regular file at its path (a link, a device) is neither followed nor replaced.
 */
import { constants } from 'node:fs';
import { open, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CHECKPOINT_FORMAT, type Checkpoint, type CheckpointStore } from '../model/checkpoint.js';
import { MillraceError, describeValue } from '../model/errors.js';
import { checkOptions, checkText, count, text, type OptionRules } from '../options/options.js';
import { readJson } from './read-json.js';
import { stateFile } from './state-file.js';
import { assertOwnFile } from './result-place.js';
import { syncFolder } from './sync-folder.js';
import { touchedFile } from './touched-file.js';

/** Options of `checkpointFile`, for a run that another process resumes. */
export interface CheckpointFileOptions {
  /** The number of this incarnation of the run, from 1. Default 1. */
  readonly incarnation?: number;
  /** A file that exists once a later incarnation of the run has begun. From then on nothing is written. */
  readonly successor?: string;
}

const RULES: OptionRules<CheckpointFileOptions> = { incarnation: count(), successor: text };

/**
 * Keeps the checkpoint of one run in this file and replaces it as a whole, by renaming a synced file. `read` rejects with
 * MILLRACE_RESUME if the file is not a checkpoint of this format, and with MILLRACE_FILE if it cannot be read. `write`
 * rejects with MILLRACE_LOCKED once `successor` exists. Throws MILLRACE_INVALID_OPTION if the path is empty or an option
 * does not fit.
 */
export function checkpointFile(path: string, options: CheckpointFileOptions = {}): CheckpointStore {
  checkText('the path of a checkpointFile', path);
  checkOptions('a checkpointFile', options, RULES);
  const { incarnation = 1, successor } = options;
  const temporary = `${path}.${incarnation}.tmp`;
  let isOwn = false;
  return {
    incarnation,
    state: stateFile(join(dirname(path), `${basename(path, '.json')}-state`), incarnation),
    read: () => readCheckpoint(path),
    write: async (checkpoint) => {
      if (successor !== undefined && (await exists(successor))) {
        throw new MillraceError(
          'MILLRACE_LOCKED',
          `Another process has resumed run ${checkpoint.runId}: this one stops, and writes nothing more`,
        );
      }
      if (!isOwn) await assertOwnFile(path);
      isOwn = true;
      await replaceFile(path, `${JSON.stringify(checkpoint)}\n`, temporary);
    },
    files: () => [touchedFile(path, 'write'), touchedFile(temporary, 'write', path)],
  };
}

/**
 * The checkpoint in this file; undefined if there is none. Throws MILLRACE_FILE with `fix` if it cannot be read or is not JSON,
 * and MILLRACE_RESUME if it is not a checkpoint or has another format.
 */
export async function readCheckpoint(path: string, fix = 'start a new run'): Promise<Checkpoint | undefined> {
  const found = await readJson(path, fix);
  if (found === undefined) return undefined;
  const format = typeof found === 'object' && found !== null && 'format' in found ? found.format : undefined;
  if (format === CHECKPOINT_FORMAT) return found as Checkpoint;
  throw new MillraceError(
    'MILLRACE_RESUME',
    `${path} is no checkpoint that this version reads: expected format ${CHECKPOINT_FORMAT}, got ${describeValue(format)}. Use the version that wrote it, or start a new run`,
  );
}

/** Replaces a file, so that a reader finds the old content or the new one, even after the loss of power. */
export async function replaceFile(path: string, text: string, temporary: string): Promise<void> {
  // A link that somebody has put there is not followed.
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const file = await open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
