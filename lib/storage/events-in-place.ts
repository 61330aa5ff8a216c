/** What stands where events are to go. Promise: looking changes nothing. */
import { MillraceError } from '../core/errors.js';
import { fileError } from './file-errors.js';
import { headOf } from './head-of.js';

/** How a recording begins: with the start of a run, or with that of a resumed one. */
const OPENING = '{"type":"';

/** Throws MILLRACE_FILE where events cannot be written there, or would take the place of something else. */
export async function assertForEvents(path: string): Promise<void> {
  const head = await headOf(path).catch((error: unknown) => {
    throw fileError('write', path, error, 'events');
  });
  if (head === '' || head.startsWith(OPENING) || OPENING.startsWith(head)) return;
  throw new MillraceError(
    'MILLRACE_FILE',
    `Cannot write events to ${path}: it holds something else, which they would replace. Move it away, or name another file`,
  );
}
