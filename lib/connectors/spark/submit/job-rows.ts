/** The rows that a job has written as JSON, one per line. */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describeThrown, MillraceError } from '../../../connect/index.js';

/**
 * The rows of a file, or of the files of a folder as Spark writes them, by name. None if there is neither. Throws
 * MILLRACE_JSON for a line that is no JSON.
 */
export async function readJobRows(path: string, of: string): Promise<readonly unknown[]> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return [];
  const names = found.isDirectory() ? (await readdir(path)).filter((name) => !/^[._]/.test(name)).sort() : [''];
  const rows: unknown[] = [];
  for (const name of names) {
    let number = 0;
    for await (const line of createInterface({ input: createReadStream(join(path, name)), crlfDelay: Infinity })) {
      number++;
      if (line.trim() === '') continue;
      try {
        rows.push(JSON.parse(line));
      } catch (error) {
        throw new MillraceError(
          'MILLRACE_JSON',
          `${of} wrote a row that is no JSON, in line ${number} of ${join(path, name)}: ${describeThrown(error)}`,
          { cause: error },
        );
      }
    }
  }
  return rows;
}
