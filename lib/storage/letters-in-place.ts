/** What stands where dead letters are to go. Promise: looking changes nothing. */
import { MillraceError } from '../core/errors.js';
import { fileError } from './file-errors.js';
import { headOf } from './head-of.js';

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
