/** Dead letters back from their file, one after the other; memory is one chunk and one letter. */
import { open } from 'node:fs/promises';
import { MillraceError } from '../model/errors.js';
import type { DeadLetter } from '../model/ports.js';

/**
 * Throws MILLRACE_FILE with the line that is no letter; the last one may be torn, where a process died while it wrote.
 * A file that is not there has no letters.
 */
export async function* readLetters(path: string): AsyncGenerator<DeadLetter> {
  const file = await open(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return;
  try {
    let line = 0;
    let torn: MillraceError | undefined;
    for await (const text of file.readLines()) {
      if (torn !== undefined) throw torn;
      line++;
      try {
        yield JSON.parse(text) as DeadLetter;
      } catch (error) {
        torn = noLetter(path, line, error);
      }
    }
  } finally {
    await file.close();
  }
}

function noLetter(path: string, line: number, cause: unknown): MillraceError {
  return new MillraceError('MILLRACE_FILE', `${path}, line ${line} is no dead letter: it is not JSON`, { cause });
}
