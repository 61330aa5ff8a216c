/**
 * Claims a file for one writer, through a small file beside it, so that a second writer is refused before it has done
 * anything.
 *
 * Guarantees: a file that a living process of this machine is writing cannot be claimed by another; a dead process owns nothing.
 * The claim is a courtesy, not a lock: two writers that start at the same moment, or on two machines, are only detected when
 * they finish, by the file that is there (see csv-writer).
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { MillraceError } from '../model/errors.js';
import { isRunning, thisProcess, type ProcessIdentity } from './process-identity.js';

/** The path of the file that names the owner. */
export function ownerFileOf(path: string): string {
  return `${path}.owner`;
}

/** Resolves with a function that releases the claim. Throws MILLRACE_LOCKED if another process writes the file. */
export async function claimFile(path: string): Promise<() => Promise<void>> {
  const place = ownerFileOf(path);
  const owner = await ownerIn(place);
  if (owner !== undefined && (await isRunning(owner)) === true) {
    throw new MillraceError(
      'MILLRACE_LOCKED',
      `${path} is being written by process ${owner.pid}. Wait for it to end, stop it, or write to another path`,
    );
  }
  await writeFile(place, JSON.stringify(await thisProcess()));
  return () => rm(place, { force: true });
}

async function ownerIn(place: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(place, 'utf8').catch(() => undefined);
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
