/**
 * Reads the JSON files that millrace wrote. A file that a crash, a disk or a manual change has broken is reported with
 * its path.
 */
import { readFile } from 'node:fs/promises';
import { MillraceError, describeThrown } from '../model/errors.js';
import { oneLine } from '../text/printable.js';
import { fileError, systemCodeOf } from './file-errors.js';
import { unseal, type Sealed } from './sealed.js';

/**
 * The content of a file that was written with `seal`; undefined if there is none. Throws MILLRACE_FILE if it cannot be
 * read, is not JSON, or does not match its checksum; `fix` is the advice for these cases.
 */
export async function readSealed(path: string, fix: string): Promise<unknown> {
  const found = await readWithSeal(path, fix);
  if (found === undefined) return undefined;
  assertSealed(path, found, fix);
  return found.value;
}

/** Throws MILLRACE_FILE unless the file has a checksum and matches it. */
export function assertSealed(path: string, { state }: Sealed, fix: string): void {
  if (state === 'whole') return;
  const what =
    state === 'damaged'
      ? 'is damaged: its content does not match its checksum'
      : 'has no checksum: it was changed by another program, or an earlier version wrote it';
  throw new MillraceError('MILLRACE_FILE', `${path} ${what}: ${fix}`);
}

/** Like `readSealed`, but without checking the checksum: the caller does that. */
export async function readWithSeal(path: string, fix: string): Promise<Sealed | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw fileError('read', path, error);
  }
  try {
    return unseal(bytes);
  } catch (error) {
    throw new MillraceError('MILLRACE_FILE', `${path} is not JSON (${oneLine(describeThrown(error))}): ${fix}`, {
      cause: error,
    });
  }
}
