/**
 * Who writes a file, said in a small file beside it, so that a second writer is refused before it has done anything.
 *
 * Promise: a file that a living process of this machine writes is not begun by another; a process that died owns nothing.
 * It is a courtesy and not a lock: two that begin in one moment, or on two machines, are told apart when they end, by
 * whose file stands there (see csv-writer).
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { MillraceError } from '../model/errors.js';
import { isRunning, thisProcess, type ProcessIdentity } from './process-identity.js';

/** The file that names the owner. */
export function ownerFileOf(path: string): string {
  return `${path}.owner`;
}

/** Throws MILLRACE_LOCKED where another writes the file; else resolves with what gives it back. */
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
    // Its process died before it had written who it is.
    return undefined;
  }
}
