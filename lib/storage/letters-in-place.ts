/**
 * What stands where dead letters are to go. Promise: looking changes nothing, and what is no regular file (a terminal,
 * `/dev/null`, a pipe) is not read.
 */
import { constants } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MillraceError } from '../core/errors.js';
import { fileError, systemCodeOf } from './file-errors.js';

/** How much of a file is looked at, in bytes: the first letter, or the beginning of a large one. */
const HEAD_BYTES = 64 * 1024;
/** How every letter begins: its first key is that of its run. */
const OPENING = '{"runId":"';

/** Throws MILLRACE_FILE where letters cannot be written there, or would take the place of something else. */
export async function assertForLetters(path: string): Promise<void> {
  const head = await headOf(path).catch((error: unknown) => {
    throw fileError('write', path, error, 'dead letters');
  });
  if (head === '' || isLetter(head)) return;
  throw new MillraceError(
    'MILLRACE_FILE',
    `Cannot write dead letters to ${path}: it holds something else, which they would replace. Move it away, or name another file`,
  );
}

/** Whether the letters there, which may be cut off anywhere, are those of this run. */
export async function holdsLettersOf(path: string, runId: string): Promise<boolean> {
  const head = await headOf(path);
  const own = `{"runId":${JSON.stringify(runId)},`;
  return head !== '' && isLetter(head) && (head.startsWith(own) || own.startsWith(head));
}

/** The beginning of what stands there; '' where nothing does. Throws what the system says where it cannot be written. */
async function headOf(path: string): Promise<string> {
  const facts = await stat(path).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (facts === undefined) {
    await access(dirname(path), constants.W_OK);
    return '';
  }
  if (facts.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
  await access(path, constants.W_OK);
  if (!facts.isFile()) return '';
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** A first line without an end, cut off by a crash or very long, counts as a letter where it begins like one. */
function isLetter(head: string): boolean {
  const end = head.indexOf('\n');
  if (end < 0) return head.startsWith(OPENING) || OPENING.startsWith(head);
  try {
    const letter: unknown = JSON.parse(head.slice(0, end));
    return (
      typeof letter === 'object' && letter !== null && 'runId' in letter && 'task' in letter && 'lineage' in letter
    );
  } catch {
    return false;
  }
}
