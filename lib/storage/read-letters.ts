/** Dead letters back from their file, one after the other; memory is one chunk and one letter. */
import { open } from 'node:fs/promises';
import { MillraceError } from '../core/errors.js';
import type { DeadLetter } from '../core/ports.js';

/** Throws MILLRACE_FILE with the line that is no letter. A file that is not there has no letters. */
export async function* readLetters(path: string): AsyncGenerator<DeadLetter> {
  const file = await open(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return;
  try {
    let line = 0;
    for await (const text of file.readLines()) yield parse(text, path, ++line);
  } finally {
    await file.close();
  }
}

function parse(text: string, path: string, line: number): DeadLetter {
  try {
    return JSON.parse(text) as DeadLetter;
  } catch (error) {
    throw new MillraceError('MILLRACE_FILE', `${path}, line ${line} is no dead letter: it is not JSON`, {
      cause: error,
    });
  }
}
