/** Reads JSON files that millrace wrote. A file that a crash or a manual change has broken is reported with its path. */
import { readFile } from 'node:fs/promises';
import { MillraceError, describeThrown } from '../model/errors.js';
import { oneLine } from '../text/printable.js';
import { fileError, systemCodeOf } from './file-errors.js';

/** The content of the file; undefined if there is none. Throws MILLRACE_FILE; `fix` is the advice for a file that is not JSON. */
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
