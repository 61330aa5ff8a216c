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
import type { SpreadOptions } from '../../lanes/index.js';
import { assertRunKept, type RunMemory } from '../../lanes/internal.js';
import { mendBroken } from '../../storage/broken-run.js';
import { replaceFile } from '../../storage/checkpoint-file.js';
import { fileError } from '../../storage/file-errors.js';
import { readSealed } from '../../storage/read-json.js';
import { seal } from '../../storage/sealed.js';
import { deadLetterFile } from '../../storage/dead-letter-file.js';
import { RunFolder } from '../../storage/run-folder.js';
import { keepPlan } from '../kept-plan.js';
import { requestToKeep, type ReadyRun } from '../kept-run.js';
import { lettersOf, type LoadedJob } from '../load-job.js';
import { pathFrom, type JobPlace } from '../place.js';

export interface CarriedRun {
  /** The folder of runs; undefined for a run that keeps nothing on this machine. */
  readonly runs: string | undefined;
  /** The options that its workers share. */
  readonly spread: SpreadOptions;
  /** Called with a sentence if the brokers cannot be reached before the run has started. */
  readonly onNotice?: ((message: string) => void) | undefined;
  /** The carrier of the run. */
  readonly carrierFor: (memory: RunMemory | undefined) => Required<RunOptions>['carrier'];
}

/**
 * A carried run that is ready to start, or to be continued. Throws MILLRACE_USAGE if another run has the id,
 * MILLRACE_RESUME if the topics of the run were deleted, and MILLRACE_FILE if the folder cannot be written.
 */
export async function prepareCarriedRun(
  job: LoadedJob,
  place: JobPlace,
  { runs, spread, onNotice, carrierFor }: CarriedRun,
): Promise<ReadyRun> {
  const { runId } = spread;
  const own = lettersOf(job, place);
  await own?.assertWritable?.();
  const { secrets } = job;
  if (runs === undefined) {
    const alone = { runId, secrets, carrier: carrierFor(undefined) };
    return { job, options: own === undefined ? alone : { ...alone, deadLetters: own } };
  }
  const folder = await folderFor(job, place, { runs: pathFrom(place, runs), runId });
  const memory = memoryIn(folder);
  // Nothing may be removed from the folder of a run that is lost: it has the last copy of its dead letters.
  const known = await memory.recall();
  if (known !== undefined) await assertRunKept(spread, known, onNotice);
  await folder.begin();
  await keepPlan(folder, job.prepared);
  await Promise.all([
    rm(folder.file('events.ndjson'), { force: true }),
    ...(own === undefined ? [rm(folder.file('dead-letters.ndjson'), { force: true })] : []),
  ]);
  const deadLetters = own ?? deadLetterFile(folder.file('dead-letters.ndjson'));
  return { job, folder, options: { runId, secrets, carrier: carrierFor(memory), deadLetters } };
}

/** The id of the run on its cluster, in its folder. */
function memoryIn(folder: RunFolder): RunMemory {
  const file = folder.file('cluster.json');
  return {
    recall: async () => {
      const kept = (await readSealed(file, mendBroken(folder.manifest.runId))) as { readonly id?: string } | undefined;
      return kept?.id;
    },
    keep: async (id) => {
      await replaceFile(file, seal({ format: 1, id }, 2), `${file}.tmp`).catch((error: unknown) => {
        throw fileError('write', file, error);
      });
    },
  };
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
