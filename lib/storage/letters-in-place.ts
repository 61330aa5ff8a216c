/** What stands where dead letters are to go. Promise: only dead letters are replaced. */
import { headOf } from './head-of.js';
import { assertReplaceable, firstLineOf, type FirstLine } from './in-place.js';

/** How every letter begins: its first key is that of its run. */
const OPENING = '{"runId":"';

/** Throws MILLRACE_FILE where letters cannot be written there, or would take the place of something else. */
export function assertForLetters(path: string): Promise<void> {
  return assertReplaceable(path, 'dead letters', isLetter);
}

/** Whether the letters there, which may be cut off anywhere, are those of this run. */
export async function holdsLettersOf(path: string, runId: string): Promise<boolean> {
  const head = await headOf(path);
  const own = `{"runId":${JSON.stringify(runId)},`;
  const isOfRun = head.length < own.length ? own.startsWith(head) : head.startsWith(own) && isLetter(firstLineOf(head));
  return head !== '' && isOfRun;
}

/** A first line without an end, cut off by a crash or very long, counts as a letter where it begins like one. */
function isLetter(line: FirstLine): boolean {
  if ('beginning' in line) return line.beginning.startsWith(OPENING);
  const { json } = line;
  return typeof json === 'object' && json !== null && 'runId' in json && 'task' in json && 'lineage' in json;
}
