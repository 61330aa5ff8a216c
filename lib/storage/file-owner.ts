/**
 * Claims a file for one writer, through a small file beside it, so that a second writer is refused before it has done
 * anything.
 *
 * Guarantees: a file that a process is writing cannot be claimed by another process. A dead process owns nothing. A
 * process that has not renewed its claim for 30 seconds may be replaced, also from another host; a new claim waits for
 * that time. A writer that was replaced notices it before it writes again. Anything but a regular file in the place of
 * the small file (a link, a pipe) is refused, and neither opened nor removed. The claim is advisory, not a lock: two
 * writers that start at the same moment are detected when they finish, by the file that is there (see result-file).
 */
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { MillraceError } from '../model/errors.js';
import { createWhole, Lease, replaceWhole, untilSilent } from './lease.js';
import { isRunning, thisProcess, type ProcessIdentity } from './process-identity.js';
import { assertOwnFile } from './result-place.js';
import { seal, unseal } from './sealed.js';

/** A claim: calling it releases the claim. */
export interface FileClaim {
  (): Promise<void>;
  /** Throws MILLRACE_LOCKED once another writer has taken over. Call it before each write: it is cheap. */
  assertHeld(): void;
  /**
   * True if the writer before this one may still exist, on another host or as a stopped process. It may still have the
   * file open, so this writer must write to a new file.
   */
  readonly hasGhost: boolean;
}

/** The path of the file that names the owner. */
export function ownerFileOf(path: string): string {
  return `${path}.owner`;
}

/**
 * Claims the file. Throws MILLRACE_LOCKED if another process writes it, and MILLRACE_FILE if the place of the claim is
 * taken by anything but a regular file.
 */
export async function claimFile(path: string): Promise<FileClaim> {
  const place = ownerFileOf(path);
  const isThere = await assertOwnFile(place);
  const owner = await ownerIn(place);
  // A damaged file does not name its owner. Only the time since its last renewal is known.
  const isLiving = owner === undefined ? undefined : await isRunning(owner);
  const hasGhost = isThere && isLiving !== false;
  if (hasGhost && !(await untilSilent(place, isLiving === true))) throw locked(path, owner);
  const identity = { ...(await thisProcess()), claim: globalThis.crypto.randomUUID() };
  const text = seal(identity);
  if (isThere) await replaceWhole(place, text);
  else if (!(await createWhole(place, text))) throw locked(path, await ownerIn(place));
  const lost = `Another process has taken over ${path}, because this one was silent: this run stops, and writes nothing more`;
  const lease = Lease.hold({ place, text, lost });
  const release = async (): Promise<void> => {
    if (lease.end()) await rm(place, { force: true });
  };
  const assertHeld = (): void => {
    lease.assertHeld();
  };
  return Object.assign(release, { assertHeld, hasGhost });
}

function locked(path: string, owner: ProcessIdentity | undefined): MillraceError {
  const where = owner?.host === hostname() ? '' : ` on ${owner?.host ?? ''}`;
  const by = owner === undefined ? 'another process' : `process ${owner.pid}${where}`;
  return new MillraceError(
    'MILLRACE_LOCKED',
    `${path} is being written by ${by}. Wait for it to end, stop it, or write to another path`,
  );
}

/** The owner; undefined for a file that is no claim. Neither follows a link nor waits for the writer of a pipe. */
async function ownerIn(place: string): Promise<ProcessIdentity | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(place, flags).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { state, value } = unseal(await file.readFile());
    // Earlier versions wrote no checksum.
    return state !== 'damaged' && isIdentity(value) ? value : undefined;
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

function isIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, host, processStart } = value as Partial<Record<keyof ProcessIdentity, unknown>>;
  return (
    typeof pid === 'number' && typeof host === 'string' && (processStart === null || typeof processStart === 'string')
  );
}
