/** What may be replaced. Promise: looking changes nothing, and what is not known to be ours stays. */
import { MillraceError } from '../model/errors.js';
import { fileError } from './file-errors.js';
import { headOf } from './head-of.js';

/** What is known of the first line of a file: that it was read whole, or that it is longer or was cut off. */
export type FirstLine = { readonly json: unknown } | { readonly beginning: string };

/**
 * Throws MILLRACE_FILE where `what` ("events") cannot be written to this path, or would take the place of something whose
 * first line is not ours. A file that is empty, or not there, holds nothing.
 */
export async function assertReplaceable(
  path: string,
  what: string,
  isOurs: (line: FirstLine) => boolean,
): Promise<void> {
  const head = await headOf(path).catch((error: unknown) => {
    throw fileError('write', path, error, what);
  });
  if (head === '' || isOurs(firstLineOf(head))) return;
  throw new MillraceError(
    'MILLRACE_FILE',
    `Cannot write ${what} to ${path}: it holds something else, which they would replace. Move it away, or name another file`,
  );
}

/** The first line of what stands at the beginning of a file. */
export function firstLineOf(head: string): FirstLine {
  const end = head.indexOf('\n');
  if (end < 0) return { beginning: head };
  try {
    return { json: JSON.parse(head.slice(0, end)) };
  } catch {
    return { json: undefined };
  }
}
