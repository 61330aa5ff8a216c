/**
 * The checkpoint of a run as a JSON file.
 *
 * Guarantees: the file always contains a complete checkpoint. Each one is written to a file beside it, synced and
 * renamed, and then the folder is synced. A file with a changed byte is not used. The checkpoint before the last one is
 * kept beside it. If its path leads to anything but a regular file (a link, a device), that is neither followed nor
 * replaced.
 */
import { constants } from 'node:fs';
import { copyFile, link, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CHECKPOINT_FORMAT, type Checkpoint, type CheckpointStore, type RootProgress } from '../model/checkpoint.js';
import { MillraceError, describeValue } from '../model/errors.js';
import { checkOptions, checkText, count, text, type OptionRules } from '../options/options.js';
import { fileError, systemCodeOf } from './file-errors.js';
import { assertSealed, readWithSeal } from './read-json.js';
import { assertOwnFile } from './result-place.js';
import { seal } from './sealed.js';
import { stateFile } from './state-file.js';
import { syncData } from './sync-data.js';
import { syncFolder } from './sync-folder.js';
import { touchedFile } from './touched-file.js';

/** Options of `checkpointFile`, for a run that another process resumes. */
export interface CheckpointFileOptions {
  /** The number of this incarnation of the run, from 1. Default 1. */
  readonly incarnation?: number;
  /** A file that exists once a later incarnation of the run has begun. From then on, this one writes nothing. */
  readonly successor?: string;
}

const RULES: OptionRules<CheckpointFileOptions> = { incarnation: count(), successor: text };

/**
 * Keeps the checkpoint of one run in this file and replaces it as a whole, by renaming a synced file. `read` rejects
 * with MILLRACE_RESUME if the file is not a checkpoint of this format, and with MILLRACE_FILE if it cannot be read or
 * is damaged. `write` rejects with MILLRACE_LOCKED once `successor` exists, and with MILLRACE_FILE if it cannot write.
 * Throws MILLRACE_INVALID_OPTION if the path is empty or an option does not fit.
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
      try {
        await keepPrevious(path, `${temporary}.previous`);
        await replaceFile(path, seal(checkpoint), temporary);
      } catch (error) {
        throw fileError('write', path, error, 'a checkpoint');
      }
    },
    files: () => [
      touchedFile(path, 'write'),
      ...[temporary, previousOf(path)].map((file) => touchedFile(file, 'write', path)),
    ],
  };
}

/** The file of the checkpoint before the last one. */
export function previousOf(path: string): string {
  return `${path}.previous`;
}

/** A checkpoint, and the reason why it is not the last one that was written, if it is not. */
export interface FoundCheckpoint {
  readonly checkpoint: Checkpoint | undefined;
  /** Set if the last checkpoint is damaged or missing, and `checkpoint` is the one before it. */
  readonly damage?: MillraceError;
}

/**
 * The last checkpoint, or the one before it if the last one is damaged. Throws MILLRACE_FILE, with the name of the
 * damaged file and `fix`, if neither can be used, and MILLRACE_RESUME for another format.
 */
export async function lastCheckpoint(path: string, fix: string): Promise<FoundCheckpoint> {
  let damage: unknown;
  try {
    const checkpoint = await readCheckpoint(path, fix);
    if (checkpoint !== undefined || !(await exists(previousOf(path)))) return { checkpoint };
    damage = new MillraceError('MILLRACE_FILE', `${path} is missing, and the checkpoint before it is not`);
  } catch (error) {
    damage = error;
  }
  if (!isDamage(damage)) throw damage;
  const checkpoint = await readCheckpoint(previousOf(path), fix).catch(() => undefined);
  if (checkpoint === undefined) throw damage;
  // The run can be used all the same, so the advice is not to remove it.
  const reported = await readCheckpoint(path, BY_OTHERS).catch((error: unknown) => error);
  return { checkpoint, damage: isDamage(reported) ? reported : damage };
}

/** The likely cause of a damaged checkpoint. */
const BY_OTHERS = 'the disk or another program has changed it';

function isDamage(error: unknown): error is MillraceError {
  return error instanceof MillraceError && error.code === 'MILLRACE_FILE';
}

/**
 * The checkpoint in this file; undefined if there is none. Throws MILLRACE_FILE with `fix` if it cannot be read, is not
 * JSON or is damaged, and MILLRACE_RESUME if it is not a checkpoint or has another format.
 */
export async function readCheckpoint(path: string, fix = 'start a new run'): Promise<Checkpoint | undefined> {
  const found = await readWithSeal(path, fix);
  if (found === undefined) return undefined;
  const { value, state } = found;
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  // A version with another format may seal it in another way.
  if (state === 'unsealed' && format !== CHECKPOINT_FORMAT) throw otherFormat(path, format);
  assertSealed(path, found, fix);
  if (format !== CHECKPOINT_FORMAT) throw otherFormat(path, format);
  if (!isCheckpoint(value)) throw new MillraceError('MILLRACE_FILE', `${path} is not a checkpoint: ${fix}`);
  return value;
}

function otherFormat(path: string, format: unknown): MillraceError {
  return new MillraceError(
    'MILLRACE_RESUME',
    `${path} is no checkpoint that this version reads: expected format ${CHECKPOINT_FORMAT}, got ${describeValue(format)}. Use the version that wrote it, or start a new run`,
  );
}

/** Whether the value has the shape of a checkpoint, as far as its readers rely on it. */
function isCheckpoint(value: unknown): value is Checkpoint {
  const found = value as Partial<Record<keyof Checkpoint, unknown>>;
  const { runId, incarnation, at, startedAt, seed, definition, inputs, roots, positions } = found;
  return (
    typeof runId === 'string' &&
    [incarnation, at, startedAt, seed].every(Number.isFinite) &&
    [definition, inputs, roots, positions].every(isObject) &&
    Object.values(roots as object).every(isProgress)
  );
}

function isProgress(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { watermark, born, passed } = value as Partial<Record<keyof RootProgress, unknown>>;
  return [watermark, born].every(Number.isSafeInteger) && isObject(passed);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Gives the last checkpoint a second name. It keeps that name when the next checkpoint replaces it. */
async function keepPrevious(path: string, temporary: string): Promise<void> {
  await rm(temporary, { force: true });
  try {
    await link(path, temporary);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return;
    // A file system without hard links.
    await copyFile(path, temporary);
  }
  await rename(temporary, previousOf(path));
}

/** Replaces a file, so that a reader finds the old content or the new one, even after the loss of power. */
export async function replaceFile(path: string, text: string, temporary: string): Promise<void> {
  // A link that another program has put there is not followed.
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const file = await open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
  try {
    await file.writeFile(text);
    await syncData(file);
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
