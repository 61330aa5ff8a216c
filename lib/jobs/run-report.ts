/** The report of a kept run, as the model of the page and as one HTML file. It needs only the folder of the run. */
import { open, stat, writeFile } from 'node:fs/promises';
import { describeThrown, MillraceError } from '../model/errors.js';
import { reportWith, storyOfRun } from '../observe/report/report.js';
import type { RunStory } from '../observe/report/run-story.js';
import { readEvents } from '../storage/read-events.js';
import type { RunFolder } from '../storage/run-folder.js';
import { explanationOf } from './kept-plan.js';
import { pathFrom, type JobFolder } from './place.js';

/** The content of the report, as plain data. Throws MILLRACE_FILE if the events cannot be read. */
export function reportModelOf(folder: RunFolder): Promise<RunStory> {
  return storyOfRun(readEvents(folder.file('events.ndjson')));
}

/**
 * Writes the report of the run as one HTML file, and resolves with its path.
 *
 * @param out the path of the page; undefined for `report.html` in the folder of the run.
 * @param options `force`: also replaces a file that is not an HTML page. Without it, throws MILLRACE_FILE for such a
 *   file. Also throws MILLRACE_FILE if the events cannot be read or the file cannot be written.
 */
export async function writeReport(
  folder: RunFolder,
  place: JobFolder,
  out?: string,
  options: { readonly force?: boolean } = {},
): Promise<string> {
  const path = out === undefined ? folder.file('report.html') : pathFrom(place, out);
  if (out !== undefined && options.force !== true) await assertReplaceable(path);
  // The events alone are enough for a report.
  const explanation = await explanationOf(folder).catch(() => undefined);
  const page = await reportWith(readEvents(folder.file('events.ndjson')), explanation);
  await writeFile(path, page).catch((error: unknown) => {
    throw new MillraceError(
      'MILLRACE_FILE',
      `Cannot write the report to ${path}: ${describeThrown(error)}. Name a file in a folder that exists and may be written`,
      { cause: error },
    );
  });
  return path;
}

/** Throws MILLRACE_FILE for an existing regular file that is not an HTML page: it may be the input of the run. */
async function assertReplaceable(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true || found.size === 0) return;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(256), position: 0 });
    if (/^\s*<(!doctype\s+html|html)/i.test(buffer.toString('latin1', 0, bytesRead))) return;
  } finally {
    await file.close();
  }
  throw new MillraceError(
    'MILLRACE_FILE',
    `Expected the report to go to a new file or an HTML page, got ${path}, which holds something else. Name another file, or replace it with the option 'force'`,
  );
}
