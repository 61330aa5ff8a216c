/** A file of JSON that millrace wrote, read back; one that a crash or a hand has broken is told by its name. */
import { readFile } from 'node:fs/promises';
import { MillraceError, describeThrown } from '../model/errors.js';
import { oneLine } from '../text/printable.js';
import { fileError, systemCodeOf } from './file-errors.js';

/** Undefined where there is none. Throws MILLRACE_FILE; `fix` is what to do about a file that is not JSON. */
export async function readJson(path: string, fix: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw fileError('read', path, error);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new MillraceError('MILLRACE_FILE', `${path} is not JSON (${oneLine(describeThrown(error))}): ${fix}`, {
      cause: error,
    });
  }
}
