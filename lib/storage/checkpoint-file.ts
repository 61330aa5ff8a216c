/**
 * The checkpoint of a run as a JSON file. Promise: under its name there is always a whole checkpoint: each is written to
 * a file beside it, synced, renamed, and the folder synced.
 */
import { open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CHECKPOINT_FORMAT, type Checkpoint, type CheckpointStore } from '../model/checkpoint.js';
import { MillraceError, describeValue } from '../model/errors.js';
import { checkOptions, checkText, count, text, type OptionRules } from '../options/options.js';
import { readJson } from './read-json.js';
import { syncFolder } from './sync-folder.js';
import { touchedFile } from './touched-file.js';

/** Options of `checkpointFile`, for a run that goes on in another process. */
export interface CheckpointFileOptions {
  /** Which life of the run writes, from 1. Default 1. */
  readonly incarnation?: number;
  /** A file that exists once a later life of the run has begun; from then on nothing is written. */
  readonly successor?: string;
}

const RULES: OptionRules<CheckpointFileOptions> = { incarnation: count(), successor: text };

/**
 * Keeps the checkpoint of one run in this file, replaced as a whole by a rename after it was
 * synced. `read` rejects with MILLRACE_RESUME for a file that is no checkpoint of this format and
 * MILLRACE_FILE for one that cannot be read; `write` rejects with MILLRACE_LOCKED once `successor`
 * exists. Throws MILLRACE_INVALID_OPTION.
 */
export function checkpointFile(path: string, options: CheckpointFileOptions = {}): CheckpointStore {
  checkText('the path of a checkpointFile', path);
  checkOptions('a checkpointFile', options, RULES);
  const { incarnation = 1, successor } = options;
  const temporary = `${path}.${incarnation}.tmp`;
  return {
    incarnation,
    read: () => readCheckpoint(path),
    write: async (checkpoint) => {
      if (successor !== undefined && (await exists(successor))) {
        throw new MillraceError(
          'MILLRACE_LOCKED',
          `Another process goes on with run ${checkpoint.runId}: this one stops, and writes nothing more`,
        );
      }
      await replaceFile(path, `${JSON.stringify(checkpoint)}\n`, temporary);
    },
    files: () => [touchedFile(path, 'write'), touchedFile(temporary, 'write', path)],
  };
}

/**
 * Undefined where there is none. Throws MILLRACE_FILE where it cannot be read or is not JSON, with `fix`, and
 * MILLRACE_RESUME for what is no checkpoint, or one of a later format.
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

/** Puts a file in place of another so that a reader sees the old one or the new one, also after the loss of power. */
export async function replaceFile(path: string, text: string, temporary: string): Promise<void> {
  const file = await open(temporary, 'w');
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
