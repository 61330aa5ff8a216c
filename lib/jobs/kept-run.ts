/**
 * Runs that are ready to start: a new one, with or without a folder, or a kept one that resumes.
 *
 * Guarantees: later questions about a kept run (resume, dead letters, the story of a record) are answered from its
 * folder alone; a job that resumes is built with the start time of its run.
 */
import type { Checkpoint, Json } from '../model/checkpoint.js';
import { codeOf, describeThrown, MillraceError } from '../model/errors.js';
import type { RunOptions } from '../runtime/definition/run-options.js';
import { newRunId } from '../runtime/run/run.js';
import { deadLetterFile } from '../storage/dead-letter-file.js';
import { listRuns, RunFolder } from '../storage/run-folder.js';
import { keyWithoutValue, settingToKeep } from './config/config-secrets.js';
import { keyOf } from './config/setting-key.js';
import { assertCanOpen, lettersOf, loadJob, prepareJob, type JobRequest, type LoadedJob } from './load-job.js';
import { noRunToResume, openRun, unfinishedRuns } from './kept-runs.js';
import { keepPlan } from './kept-plan.js';
import { assertSamePlace } from './moved-run.js';
import { pathFrom, type JobPlace } from './place.js';
import { SettingsNotKept } from './settings-not-kept.js';
import { loadWorkflow } from './workflows/load-workflow.js';

/** A job with the options of its run, and the folder that keeps the run, if one does. */
export interface ReadyRun {
  readonly job: LoadedJob;
  readonly options: RunOptions;
  readonly folder?: RunFolder | undefined;
  /** Sentences to report to all observers of the run. */
  readonly notices?: readonly string[];
}

/** How a run is kept: not at all, in a new folder in `runs`, or in the folder of the run that it resumes. */
export type RunKeeping = 'ephemeral' | { readonly runs: string; readonly runId?: string | undefined } | RunFolder;

/** A run of the job that is ready to start. Throws the errors of `newEphemeralRun`, `keepNewRun` or `reopenRun`. */
export function prepareRun(job: LoadedJob, place: JobPlace, keeping: RunKeeping): Promise<ReadyRun> {
  if (keeping === 'ephemeral') return newEphemeralRun(job, place);
  if (keeping instanceof RunFolder) return reopenRun(keeping, job, place);
  return keepNewRun(keeping.runs, job, place, keeping.runId);
}

/**
 * A new run that keeps nothing, so it cannot be resumed. Throws MILLRACE_FILE if results or dead letters cannot be
 * written.
 */
export async function newEphemeralRun(job: LoadedJob, place: JobPlace): Promise<ReadyRun> {
  const deadLetters = lettersOf(job, place);
  await assertCanOpen(job);
  await deadLetters?.assertWritable?.();
  const { secrets } = job;
  return { job, options: deadLetters === undefined ? { secrets } : { secrets, deadLetters } };
}

/**
 * A new run in its own folder in `runs`. Throws MILLRACE_FILE if the folder, results or dead letters cannot be written,
 * or if there is a run with this id already.
 */
export async function keepNewRun(
  runs: string,
  job: LoadedJob,
  place: JobPlace,
  runId: string = newRunId(),
): Promise<ReadyRun> {
  const own = lettersOf(job, place);
  await assertCanOpen(job);
  await own?.assertWritable?.();
  const folder = await RunFolder.create(pathFrom(place, runs), {
    format: 1,
    runId,
    workflow: job.prepared.name,
    createdAt: Date.now(),
    cwd: place.folder,
    deadLetters: own === undefined ? null : (own.location ?? null),
    request: requestToKeep(job.request) as unknown as Json,
  });
  const deadLetters = own ?? deadLetterFile(folder.file('dead-letters.ndjson'));
  const { secrets } = job;
  const checkpoints = await folder.begin();
  await keepPlan(folder, job.prepared);
  return { job, folder, options: { runId, secrets, deadLetters, checkpoints } };
}

/** Options of `loadAgain`. */
export interface LoadAgainOptions {
  /**
   * When the run was first started. Default: the start time in its last checkpoint; the current time if it has none.
   */
  readonly startedAt?: number;
  /** Each `key=value` for the settings of the run whose values were not kept, because they are secrets. */
  readonly settings?: readonly string[];
}

/**
 * The job that a run was started with. Throws MILLRACE_RESUME if the folder of the place is not the one of the start, or if
 * a setting is missing whose value was not kept, MILLRACE_USAGE for any other setting, MILLRACE_FILE if the checkpoint
 * of the run is broken, and the errors of `loadJob`.
 */
export async function loadAgain(
  folder: RunFolder,
  place: JobPlace,
  options: LoadAgainOptions = {},
): Promise<LoadedJob> {
  assertSamePlace(folder, place);
  const startedAt = options.startedAt ?? (await folder.checkpoint())?.startedAt;
  return loadJob(completeRequest(folder, options.settings ?? []), place, { startedAt });
}

/**
 * A kept run that resumes from its last checkpoint, or starts again if it has none. `job` is the job that `loadAgain`
 * or `findUnfinished` returned. Throws MILLRACE_RESUME if something has changed or the place is a different one, and
 * MILLRACE_LOCKED if another process works on the run.
 */
export async function reopenRun(folder: RunFolder, job: LoadedJob, place: JobPlace): Promise<ReadyRun> {
  assertSamePlace(folder, place);
  assertNotCarried(folder);
  const { checkpoint, damage } = await folder.progress();
  const own = { ...job, request: requestOf(folder), prepared: preparedFor(checkpoint, job) };
  if (checkpoint !== undefined) await own.prepared.assertResumable(checkpoint);
  if (damage !== undefined) assertMayGoBack(own, damage);
  const deadLetters = lettersOf(own, place) ?? deadLetterFile(folder.file('dead-letters.ndjson'));
  await assertCanOpen(own, checkpoint);
  await deadLetters.assertWritable?.();
  const checkpoints = await folder.begin();
  await keepPlan(folder, own.prepared);
  const from = checkpoint === undefined ? { runId: folder.manifest.runId } : { resumeFrom: checkpoint };
  const notices = damage === undefined ? [] : [`${damage.message}. The run resumes from the checkpoint before it`];
  return { job: own, folder, options: { ...from, secrets: job.secrets, deadLetters, checkpoints }, notices };
}

/**
 * Throws the error of a damaged checkpoint if the run cannot resume from the one before it: a source can no longer read
 * records, or a sink has committed rows, that only the damaged checkpoint contained.
 */
function assertMayGoBack({ prepared }: LoadedJob, damage: MillraceError): void {
  const bound = prepared.declarations.find(
    ({ task }) => task.hasCommits || (task.bearing === 'source' && !task.isRepeatable),
  );
  if (bound === undefined) return;
  throw new MillraceError(
    'MILLRACE_RESUME',
    `${damage.message}. The checkpoint before it cannot be used, because '${bound.name}' has committed what came after it`,
    { cause: damage },
  );
}

/** A kept run to resume, with its job. */
export interface RunToResume {
  readonly job: LoadedJob;
  readonly folder: RunFolder;
  /** True if a process works on it, as far as this process can check. `reopenRun` waits for its end. */
  readonly isRunning: boolean;
}

/**
 * The run with this id; or the newest one that can resume if `runId` is undefined, with `notify` as in `findResumable`.
 * Throws MILLRACE_UNKNOWN_RUN if there is none, MILLRACE_RESUME for a run that has finished, and the errors of
 * `loadAgain`.
 */
export async function openForResume(
  { runs, runId }: { readonly runs: string; readonly runId: string | undefined },
  place: JobPlace,
  notify: (sentence: string) => void,
  options: LoadAgainOptions = {},
): Promise<RunToResume> {
  if (runId === undefined) {
    const found = await findResumable(runs, place, notify, options);
    if (found === undefined) throw await noRunToResume(runs, place);
    return { ...found, isRunning: false };
  }
  const folder = await openRun(runs, runId, place);
  const state = await folder.state();
  if (state === 'finished') {
    throw new MillraceError('MILLRACE_RESUME', `Run ${runId} has finished: there is nothing to resume`);
  }
  assertNotCarried(folder);
  return { folder, job: await loadAgain(folder, place, options), isRunning: state === 'running' };
}

/**
 * The newest unfinished run that can resume, with its job; undefined if there is none. `notify` receives one sentence
 * about each newer unfinished run that cannot resume. Throws the errors of `loadJob`.
 */
async function findResumable(
  runs: string,
  place: JobPlace,
  notify: (sentence: string) => void,
  options: LoadAgainOptions = {},
): Promise<{ readonly job: LoadedJob; readonly folder: RunFolder } | undefined> {
  for await (const folder of unfinishedRuns(runs, place, notify)) {
    try {
      assertNotCarried(folder);
      const job = await loadAgain(folder, place, options);
      const checkpoint = await folder.checkpoint();
      if (checkpoint !== undefined) await job.prepared.assertResumable(checkpoint);
      return { job, folder };
    } catch (error) {
      // Any other error is about the workflow or its configuration, and the user can correct it.
      if (codeOf(error) !== 'MILLRACE_RESUME') throw error;
      notify(`Run ${folder.manifest.runId} is passed over: ${describeThrown(error)}`);
    }
  }
  return undefined;
}

/** A job, and the unfinished run that it can resume, if there is one. */
export interface FoundRun {
  readonly job: LoadedJob;
  readonly folder: RunFolder | undefined;
}

/**
 * The newest unfinished run that can resume with the requested job. `notify` receives one sentence about each newer
 * unfinished run, with the reason why it is passed over. Throws the errors of `loadJob`.
 */
export async function findUnfinished(
  runs: string,
  request: JobRequest,
  place: JobPlace,
  notify: (sentence: string) => void,
): Promise<FoundRun> {
  const workflow = await loadWorkflow(request.workflow, place);
  const passOver = (runId: string, why: string): void => {
    notify(`Run ${runId} is passed over: ${why}`);
  };
  const folders = await listRuns(pathFrom(place, runs), ({ runId, error }) => {
    passOver(runId, error.message);
  });
  let job: LoadedJob | undefined;
  const jobAt = async (startedAt: number | undefined): Promise<LoadedJob> => {
    if (job === undefined) return prepareJob(workflow, request, place, { startedAt });
    return job.prepared.startedAt === startedAt ? job : { ...job, prepared: job.prepared.rebuild({ startedAt }) };
  };
  for (const folder of folders.filter(({ manifest }) => manifest.workflow === workflow.name).reverse()) {
    const { runId } = folder.manifest;
    const found = await orReason(() => progressOf(folder));
    if (found === undefined) continue;
    if (typeof found === 'string') {
      passOver(runId, found);
      continue;
    }
    job = await jobAt(found.startedAt);
    const { prepared } = job;
    const why = await orReason(() => prepared.assertResumable(found));
    if (why === undefined) return { job, folder };
    passOver(runId, why);
  }
  return { job: await jobAt(undefined), folder: undefined };
}

/** The checkpoint of an unfinished run, or the reason why it cannot resume; undefined if it has finished. */
async function progressOf(folder: RunFolder): Promise<Checkpoint | string | undefined> {
  const state = await folder.state();
  if (state === 'finished') return undefined;
  if (state === 'running') return 'another process works on it';
  if (isCarried(folder)) return 'its progress is in Kafka';
  return (await folder.checkpoint()) ?? 'it has no checkpoint';
}

/**
 * The result, or the message of an error that is about the run. Other errors are bugs of this package, and are thrown.
 */
async function orReason<T>(ask: () => Promise<T>): Promise<T | string> {
  try {
    return await ask();
  } catch (error) {
    // The workflow may come from another copy of this package, with a separate error class.
    if (!(error instanceof Error) || error.name !== 'MillraceError') throw error;
    return error.message;
  }
}

/** The job built with the start time of the run, also if another process has written its first checkpoint meanwhile. */
function preparedFor(checkpoint: Checkpoint | undefined, { prepared }: LoadedJob): LoadedJob['prepared'] {
  if (checkpoint === undefined || checkpoint.startedAt === prepared.startedAt) return prepared;
  return prepared.rebuild({ startedAt: checkpoint.startedAt });
}

function requestOf({ manifest }: RunFolder): JobRequest {
  return manifest.request as unknown as JobRequest;
}

/** Whether Kafka carries the run, so that its progress is not in its folder. */
export function isCarried(folder: RunFolder): boolean {
  return requestOf(folder).kafka !== undefined;
}

/** Throws MILLRACE_RESUME for a run whose progress is in Kafka. */
export function assertNotCarried(folder: RunFolder): void {
  if (!isCarried(folder)) return;
  const { runId } = folder.manifest;
  throw new MillraceError(
    'MILLRACE_RESUME',
    `Run ${runId} is carried by Kafka, which has its progress and its records. To continue it, run the workflow with these brokers and this id again, with the configuration of its start`,
  );
}

/** The request without the secrets in its settings. */
export function requestToKeep(request: JobRequest): JobRequest {
  return { ...request, settings: request.settings.map(settingToKeep) };
}

/** The keys of the settings of a run that must be given again, because their values were not kept. */
export function settingsToGive(folder: RunFolder): readonly string[] {
  return requestOf(folder).settings.flatMap((setting) => keyWithoutValue(setting) ?? []);
}

/** The request of a run with the values that were not kept. */
function completeRequest(folder: RunFolder, given: readonly string[]): JobRequest {
  const request = requestOf(folder);
  const { runId } = folder.manifest;
  const values = new Map(given.map((setting) => [keyOf(setting), setting]));
  const missing = new Set<string>();
  const settings = request.settings.map((setting) => {
    const key = keyWithoutValue(setting);
    if (key === undefined) return setting;
    const value = values.get(key);
    if (value === undefined) missing.add(key);
    return value ?? setting;
  });
  const known = settingsToGive(folder);
  const other = [...values.keys()].find((key) => !known.includes(key));
  if (other !== undefined) {
    throw new MillraceError(
      'MILLRACE_USAGE',
      `Run ${runId} has its settings from its start, so ${known.length === 0 ? 'it accepts none' : `it accepts only ${known.join(' and ')} again`}, got '${other}'. For other settings start a new run`,
    );
  }
  if (missing.size > 0) throw new SettingsNotKept(runId, [...missing]);
  return { ...request, settings };
}
