/** Reads dead letters from their file, one after the other. Memory holds one chunk and one letter. */
import { open } from 'node:fs/promises';
import { MillraceError } from '../model/errors.js';
import type { DeadLetter } from '../model/ports.js';
import { readLines } from './read-lines.js';
import { unsealLine } from './sealed.js';

/** The end of a letter of a version without checksums. */
const OLD_END = /,"lastAt":-?\d+(?:\.\d+)?\}$/;

/**
 * Throws MILLRACE_FILE with the number of a line that is not a letter, or does not match its checksum. The last line
 * may be torn, because its process may have died while writing. A missing file has no letters. All letters of a file of
 * an earlier version have no checksum.
 */
export async function* readLetters(path: string): AsyncGenerator<DeadLetter> {
  const file = await open(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return;
  try {
    let isOld: boolean | undefined;
    for await (const { text: line, number, isTorn } of readLines(file)) {
      const { state, text } = unsealLine(line);
      if (isTorn && state !== 'whole') {
        // A line that lost only its end is torn. A line with another byte in place of its line feed is damaged.
        if (unsealLine(line.slice(0, -1)).state !== 'whole') return;
        throw damaged(path, number);
      }
      const letter = parsed(text);
      if (letter === undefined) throw noLetter(path, number);
      isOld ??= state === 'unsealed' && OLD_END.test(line);
      if (state === 'damaged' || isOld !== (state === 'unsealed')) throw damaged(path, number);
      yield letter;
    }
  } finally {
    await file.close();
  }
}

/** The letter in this line; undefined if it is not a letter. */
function parsed(text: string): DeadLetter | undefined {
  try {
    const found = JSON.parse(text) as unknown;
    const isLetter = typeof found === 'object' && found !== null && 'task' in found && 'lineage' in found;
    if (!isLetter || typeof found.lineage !== 'object' || found.lineage === null) return undefined;
    return found as DeadLetter;
  } catch {
    return undefined;
  }
}

const FIX = 'Put the file back as it was; a copy without this line lacks one letter';

function noLetter(path: string, line: number): MillraceError {
  return new MillraceError('MILLRACE_FILE', `${path}, line ${line} is not a dead letter. ${FIX}`);
}

function damaged(path: string, line: number): MillraceError {
  return new MillraceError('MILLRACE_FILE', `${path}, line ${line} is damaged: it does not match its checksum. ${FIX}`);
}
