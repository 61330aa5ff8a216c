/** Reads dead letters from their file, one after the other. Memory holds one chunk and one letter. */
import { open } from 'node:fs/promises';
import { MillraceError } from '../model/errors.js';
import type { DeadLetter } from '../model/ports.js';

/**
 * Throws MILLRACE_FILE with the number of a line that is not a letter. The last line may be torn, because its process may have
 * died while writing. A missing file has no letters.
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
  return new MillraceError('MILLRACE_FILE', `${path}, line ${line} is not a dead letter: it is not JSON`, { cause });
}
