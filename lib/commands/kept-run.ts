/**
 * Runs that are kept: the folder of a new run, or of one that goes on, and what of it the run must be given.
 *
 * Promise: whatever is asked of a run afterwards (`resume`, `dead-letters`, `why`) is answered from its folder alone.
 */
import { resolve } from 'node:path';
import type { Json } from '../model/checkpoint.js';
import { MillraceError } from '../model/errors.js';
import type { DeadLetterStore } from '../model/ports.js';
import type { RunOptions } from '../runtime/definition/run-options.js';
import { newRunId } from '../runtime/definition/workflow.js';
import { deadLetterFile } from '../storage/dead-letter-file.js';
import { listRuns, RunFolder } from '../storage/run-folder.js';
import { load, type Loaded, type WorkflowRequest } from './command.js';

/** What can be asked for again: the workflow, its configuration, and the options that decide what comes out. */
export interface RunRequest extends WorkflowRequest {
  readonly deadLetters: string | null;
}

export interface KeptRun extends Loaded {
  readonly folder: RunFolder;
  readonly options: RunOptions;
}

/** A new run in a folder of its own. */
export async function keepNewRun(runs: string, request: RunRequest, loaded: Loaded): Promise<KeptRun> {
  const runId = newRunId();
  const own = lettersOf(request, loaded);
  await own?.assertWritable?.();
  const folder = await RunFolder.create(runs, {
    format: 1,
    runId,
    workflow: loaded.workflow.name,
    createdAt: Date.now(),
    cwd: process.cwd(),
    deadLetters: own === undefined ? null : (own.location ?? null),
    request: request as unknown as Json,
  });
  const deadLetters = own ?? deadLetterFile(folder.file('dead-letters.ndjson'));
  return { ...loaded, folder, options: { runId, deadLetters, checkpoints: await folder.begin() } };
}

/** The workflow and configuration that a run was started with. Throws MILLRACE_RESUME in another folder than then. */
export async function loadAgain({ manifest }: RunFolder): Promise<Loaded> {
  const { runId, cwd, request } = manifest;
  if (resolve(cwd) !== process.cwd()) {
    throw new MillraceError(
      'MILLRACE_RESUME',
      `Run ${runId} was started in ${cwd}, and its paths lead from there. Go there, and resume it`,
    );
  }
  return load(request as unknown as RunRequest);
}

/** A run that goes on from its last checkpoint, or from the beginning where it did not get to one. */
export async function reopenRun(folder: RunFolder): Promise<KeptRun> {
  const { runId, request } = folder.manifest;
  const loaded = await loadAgain(folder);
  const checkpoint = await folder.checkpoint();
  if (checkpoint !== undefined) await loaded.workflow.assertResumable(checkpoint, loaded.config);
  const deadLetters =
    lettersOf(request as unknown as RunRequest, loaded) ?? deadLetterFile(folder.file('dead-letters.ndjson'));
  await deadLetters.assertWritable?.();
  const checkpoints = await folder.begin();
  const from = checkpoint === undefined ? { runId } : { resumeFrom: checkpoint };
  return { ...loaded, folder, options: { ...from, deadLetters, checkpoints } };
}

/**
 * The newest run that did not get to its end and can go on with what is asked for now; `tell` gets a sentence about every
 * newer one that did not get there either, and why it is passed over.
 */
export async function findUnfinished(
  runs: string,
  loaded: Loaded,
  tell: (sentence: string) => void,
): Promise<RunFolder | undefined> {
  const passOver = (runId: string, why: string): void => {
    tell(`Run ${runId} is passed over: ${why}`);
  };
  const folders = await listRuns(runs, ({ runId, error }) => {
    passOver(runId, error.message);
  });
  for (const folder of folders.reverse()) {
    const { runId, workflow } = folder.manifest;
    if (workflow !== loaded.workflow.name) continue;
    try {
      const state = await folder.state();
      if (state === 'finished') continue;
      const why = state === 'running' ? 'another process works on it' : await obstacleOf(folder, loaded);
      if (why === undefined) return folder;
      passOver(runId, why);
    } catch (error) {
      // Of another copy of this package too, where the workflow comes from one. A mistake of ours is no property of the run.
      if (!(error instanceof Error) || error.name !== 'MillraceError') throw error;
      passOver(runId, error.message);
    }
  }
  return undefined;
}

/** Why an unfinished run cannot go on, as its files say; throws the reason where one is broken or something has changed. */
async function obstacleOf(folder: RunFolder, { workflow, config }: Loaded): Promise<string | undefined> {
  const checkpoint = await folder.checkpoint();
  if (checkpoint === undefined) return 'it did not get to a checkpoint';
  await workflow.assertResumable(checkpoint, config);
  return undefined;
}

/** Where the user or the workflow wants dead letters; undefined where neither says. */
export function lettersOf({ deadLetters }: RunRequest, { workflow, config }: Loaded): DeadLetterStore | undefined {
  if (deadLetters !== null) return deadLetterFile(deadLetters);
  return workflow.definition.deadLetters?.(workflow.parseConfig(config));
}
