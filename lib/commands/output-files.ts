/** Checks the files that options of the command line name. */
import { MillraceError } from '../model/errors.js';
import { assertFilesApart, type LoadedJob } from '../jobs/load-job.js';
import type { Arguments } from './arguments.js';
import { here } from './here.js';

/**
 * Throws MILLRACE_FILE if an option names a file that the workflow or another option uses, and MILLRACE_USAGE for
 * `--events -`.
 *
 * @param letters the path of the dead letters; null if it is not known.
 */
export function assertOptionFiles(args: Arguments, job: LoadedJob, letters: string | null): void {
  const events = args.text('events');
  if (events === '-') {
    throw new MillraceError(
      'MILLRACE_USAGE',
      'Expected --events to name a file, got -. For events on standard output write --json',
    );
  }
  const lineage = args.text('openlineage');
  const log = args.text('log');
  const outputs = [
    { by: 'the dead letters', path: letters },
    { by: '--events', path: events },
    { by: '--log', path: log === '-' ? undefined : log },
    { by: '--openlineage', path: lineage !== undefined && /^https?:/i.test(lineage) ? undefined : lineage },
  ];
  assertFilesApart(job, outputs, here());
}
