/** The facts about a file that may be missing. */
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { systemCodeOf } from './file-errors.js';

/**
 * The facts about the file at the path; undefined if there is none. Throws the system's error.
 * @param look `lstat` for those of a link itself. Default `stat`, which follows it.
 */
export async function factsOf(path: string, look: (path: string) => Promise<Stats> = stat): Promise<Stats | undefined> {
  return look(path).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
}
