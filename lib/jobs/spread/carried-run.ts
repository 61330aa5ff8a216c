/**
 * A run that Kafka carries, kept in a folder of this machine. The folder has its events, dead letters and summary. Its
 * progress is in the topics of the run.
 *
 * Guarantees: a run that is started again with the same id writes its recording from the beginning, because it reads
 * all news of the run again.
 */
import { rm } from 'node:fs/promises';
import type { Json } from '../../model/checkpoint.js';
import { codeOf, MillraceError } from '../../model/errors.js';
import type { RunOptions } from '../../runtime/definition/run-options.js';
import { deadLetterFile } from '../../storage/dead-letter-file.js';
import { RunFolder } from '../../storage/run-folder.js';
import { keepPlan } from '../kept-plan.js';
import { requestToKeep, type ReadyRun } from '../kept-run.js';
import { lettersOf, type LoadedJob } from '../load-job.js';
import { pathFrom, type JobPlace } from '../place.js';

/** The place of the run; `runs` is undefined for a run that keeps nothing on this machine. */
export interface CarriedRun {
  readonly runs: string | undefined;
  readonly runId: string;
  readonly carrier: Required<RunOptions>['carrier'];
}

/**
 * A carried run that is ready to start, or to be continued. Throws MILLRACE_USAGE if another run has the id, and
 * MILLRACE_FILE if the folder cannot be written.
 */
export async function prepareCarriedRun(
  job: LoadedJob,
  place: JobPlace,
  { runs, runId, carrier }: CarriedRun,
): Promise<ReadyRun> {
  const own = lettersOf(job, place);
  await own?.assertWritable?.();
  const { secrets } = job;
  const options = { runId, secrets, carrier };
  if (runs === undefined) return { job, options: own === undefined ? options : { ...options, deadLetters: own } };
  const folder = await folderFor(job, place, { runs: pathFrom(place, runs), runId });
  await folder.begin();
  await keepPlan(folder, job.prepared);
  await Promise.all([
    rm(folder.file('events.ndjson'), { force: true }),
    ...(own === undefined ? [rm(folder.file('dead-letters.ndjson'), { force: true })] : []),
  ]);
  const deadLetters = own ?? deadLetterFile(folder.file('dead-letters.ndjson'));
  return { job, folder, options: { ...options, deadLetters } };
}

async function folderFor(
  job: LoadedJob,
  place: JobPlace,
  { runs, runId }: { readonly runs: string; readonly runId: string },
): Promise<RunFolder> {
  const request = requestToKeep(job.request) as unknown as Json;
  try {
    const folder = await RunFolder.open(runs, runId);
    if (JSON.stringify(folder.manifest.request) === JSON.stringify(request)) return folder;
    throw new MillraceError(
      'MILLRACE_USAGE',
      `Run ${runId} was started with another command line. Give it the same one to continue it, or start another run`,
    );
  } catch (error) {
    if (codeOf(error) !== 'MILLRACE_UNKNOWN_RUN') throw error;
  }
  const letters = lettersOf(job, place);
  return RunFolder.create(runs, {
    format: 1,
    runId,
    workflow: job.prepared.name,
    createdAt: Date.now(),
    cwd: place.folder,
    deadLetters: letters === undefined ? null : (letters.location ?? null),
    request,
  });
}
