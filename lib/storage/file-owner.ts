/**
 * Claims a file for one writer, through a small file beside it, so that a second writer is refused before it has done
 * anything.
 *
 * Guarantees: a file that a living process of this machine is writing cannot be claimed by another; a dead process owns nothing.
 * Anything but a regular file in the place of the small file (a link, a pipe) is refused, and neither opened nor removed.
 * The claim is a courtesy, not a lock: two writers on two machines are only detected when they finish, by the file that is
 * there (see csv-writer).
 */
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { MillraceError } from '../model/errors.js';
import { systemCodeOf } from './file-errors.js';
import { isRunning, thisProcess, type ProcessIdentity } from './process-identity.js';
import { assertOwnFile } from './result-place.js';

/** The path of the file that names the owner. */
export function ownerFileOf(path: string): string {
  return `${path}.owner`;
}

/**
 * Resolves with a function that releases the claim. Throws MILLRACE_LOCKED if another process writes the file, and
 * MILLRACE_FILE if the place of the claim is taken by anything but a regular file.
 */
export async function claimFile(path: string): Promise<() => Promise<void>> {
  const place = ownerFileOf(path);
  const isThere = await assertOwnFile(place);
  const owner = await ownerIn(place);
  if (owner !== undefined && (await isRunning(owner)) === true) throw locked(path, `process ${owner.pid}`);
  // The claim of a dead process. A new file takes its place, so what is at this path by now is never written to.
  if (isThere) await rm(place, { force: true });
  const file = await open(place, 'wx').catch((error: unknown) => {
    throw systemCodeOf(error) === 'EEXIST' ? locked(path, 'another process') : error;
  });
  try {
    await file.writeFile(JSON.stringify(await thisProcess()));
  } finally {
    await file.close();
  }
  return () => rm(place, { force: true });
}

function locked(path: string, by: string): MillraceError {
  return new MillraceError(
    'MILLRACE_LOCKED',
    `${path} is being written by ${by}. Wait for it to end, stop it, or write to another path`,
  );
}

/** Neither follows a link nor waits for the writer of a pipe. */
async function textOf(place: string): Promise<string | undefined> {
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  );
  if (file === undefined) return undefined;
  try {
    return (await file.stat()).isFile() ? await file.readFile('utf8') : undefined;
  } finally {
    await file.close();
  }
}

async function ownerIn(place: string): Promise<ProcessIdentity | undefined> {
  const text = await textOf(place);
  if (text === undefined) return undefined;
  try {
    const { pid, host, processStart } = JSON.parse(text) as Partial<ProcessIdentity>;
    return typeof pid === 'number' && typeof host === 'string'
      ? { pid, host, processStart: processStart ?? null }
      : undefined;
  } catch {
    // The process died before it had written its identity.
    return undefined;
  }
}
