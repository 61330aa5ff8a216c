/** The report of a kept run, as the model of the page and as one HTML file. It needs only the recorded events. */
import { writeFile } from 'node:fs/promises';
import { describeThrown, MillraceError } from '../model/errors.js';
import { reportOf, storyOfRun } from '../observe/report/report.js';
import type { RunStory } from '../observe/report/run-story.js';
import { readEvents } from '../storage/read-events.js';
import type { RunFolder } from '../storage/run-folder.js';
import { pathFrom, type JobPlace } from './place.js';

/** The content of the report, as plain data. Throws MILLRACE_FILE if the events cannot be read. */
export function reportModelOf(folder: RunFolder): Promise<RunStory> {
  return storyOfRun(readEvents(folder.file('events.ndjson')));
}

/**
 * Writes the report of the run as one HTML file, and resolves with its path.
 *
 * @param out where to write it; undefined for `report.html` in the folder of the run. Throws MILLRACE_FILE where the
 *   events cannot be read or the file cannot be written.
 */
export async function writeReport(folder: RunFolder, place: JobPlace, out?: string): Promise<string> {
  const path = out === undefined ? folder.file('report.html') : pathFrom(place, out);
  const page = await reportOf(readEvents(folder.file('events.ndjson')));
  await writeFile(path, page).catch((error: unknown) => {
    throw new MillraceError(
      'MILLRACE_FILE',
      `Cannot write the report to ${path}: ${describeThrown(error)}. Name a file in a folder that exists and may be written`,
      { cause: error },
    );
  });
  return path;
}
