/**
 * Opens, lists, inspects and removes the runs that are kept in a folder.
 *
 * Guarantees: a broken run hides no other; a run that can resume, or is broken, is removed only on request.
 */
import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Checkpoint } from '../model/checkpoint.js';
import { MillraceError } from '../model/errors.js';
import { removeBroken, type BrokenRun } from '../storage/broken-run.js';
import { fileError } from '../storage/file-errors.js';
import { listRuns, RunFolder, type RunManifest, type RunState } from '../storage/run-folder.js';
import { homeOf } from './moved-run.js';
import { pathFrom, type JobPlace } from './place.js';

/** Facts about a kept run. */
export interface RunFacts {
  readonly run: string;
  readonly workflow: string;
  readonly state: RunState;
  /** ISO 8601. */
  readonly started: string;
  /** The number of incarnations: processes that have worked on the run. */
  readonly incarnations: number;
  /** The records of all sources that are settled without a gap. */
  readonly settled: number;
  /** A sentence for each damaged file without which the run can be used; absent if there is none. */
  readonly damages?: readonly string[];
}

/** Facts about a run that cannot be read. */
export interface BrokenRunFacts {
  readonly run: string;
  /** '' if it is not known. */
  readonly workflow: string;
  readonly state: 'broken';
  /** ISO 8601; '' if it is not known. */
  readonly started: string;
  readonly error: MillraceError;
}

/** Everything that is kept about one run. */
export interface RunDetails {
  readonly facts: RunFacts;
  readonly manifest: RunManifest;
  readonly checkpoint: Checkpoint | undefined;
  /** Set if the last checkpoint is damaged, and `checkpoint` is the one before it. */
  readonly damage: MillraceError | undefined;
  /** The summary of its last incarnation. */
  readonly summary: Awaited<ReturnType<RunFolder['summary']>>;
  /** The file of its dead letters; undefined if there are none. */
  readonly letters: string | undefined;
  /** The folder of the run. */
  readonly path: string;
}

/** A kept run. Throws MILLRACE_UNKNOWN_RUN, and MILLRACE_FILE if its manifest is broken. */
export function openRun(runs: string, runId: string, place: JobPlace): Promise<RunFolder> {
  return RunFolder.open(pathFrom(place, runs), runId);
}

/** A kept run of this workflow. Throws what `openRun` throws, and MILLRACE_USAGE for a run of another workflow. */
export async function openRunOf(runs: string, runId: string, workflow: string, place: JobPlace): Promise<RunFolder> {
  const folder = await openRun(runs, runId, place);
  const { workflow: own } = folder.manifest;
  if (own === workflow) return folder;
  throw new MillraceError(
    'MILLRACE_USAGE',
    `Expected a run of ${workflow}, got '${runId}', which is a run of ${own}. Name one of its own runs; \`runs\` lists them`,
  );
}

/**
 * The runs in the folder `runs` that have not finished and that no process works on, newest first. Broken runs, and
 * runs that can never resume, are passed over, and `pass` receives a sentence about each.
 */
export async function* unfinishedRuns(
  runs: string,
  place: JobPlace,
  pass: (sentence: string) => void,
): AsyncGenerator<RunFolder> {
  const passOver = (runId: string, why: string): void => {
    pass(`Run ${runId} is passed over: ${why}`);
  };
  const folders = await listRuns(pathFrom(place, runs), ({ runId, error }) => {
    passOver(runId, error.message);
  });
  for (const folder of folders.reverse()) {
    const { runId } = folder.manifest;
    let obstacle: string | undefined;
    try {
      if ((await folder.state()) !== 'unfinished') continue;
      obstacle = (await folder.checkpoint())?.obstacle;
    } catch (error) {
      passOver(runId, fileError('read', folder.path, error).message);
      continue;
    }
    if (obstacle === undefined) yield folder;
    else passOver(runId, `it cannot be resumed: ${obstacle}`);
  }
}

/** The error for a folder in which no run can resume. */
export async function noRunToResume(runs: string, place: JobPlace): Promise<MillraceError> {
  const count = (await listRuns(pathFrom(place, runs))).length;
  const why = count === 0 ? 'none is kept there' : 'each has finished, is being worked on, or cannot be resumed';
  return new MillraceError('MILLRACE_UNKNOWN_RUN', `There is no run to resume in ${runs}: ${why}. \`runs\` lists them`);
}

/** The file of the dead letters of a run, as a path that is valid from each folder. */
export function lettersFileOf(folder: RunFolder): string {
  const { deadLetters } = folder.manifest;
  return deadLetters === null ? folder.file('dead-letters.ndjson') : resolve(homeOf(folder), deadLetters);
}

/** All runs in `runs`: readable ones first, oldest first. */
export async function listKeptRuns(runs: string, place: JobPlace): Promise<(RunFacts | BrokenRunFacts)[]> {
  const broken: BrokenRun[] = [];
  const folders = await listRuns(pathFrom(place, runs), (one) => broken.push(one));
  const readable = await Promise.all(folders.map(rowOf));
  return [...readable, ...broken.map(brokenFacts)];
}

/**
 * One run as `listKeptRuns` returns it. Throws MILLRACE_UNKNOWN_RUN, and MILLRACE_FILE if its manifest is broken.
 */
export async function keptRunOf(runs: string, runId: string, place: JobPlace): Promise<RunFacts | BrokenRunFacts> {
  return rowOf(await openRun(runs, runId, place));
}

/** All facts about one run. Throws MILLRACE_UNKNOWN_RUN, and MILLRACE_FILE if one of its files is broken. */
export async function inspectRun(runs: string, runId: string, place: JobPlace): Promise<RunDetails> {
  const folder = await openRun(runs, runId, place);
  const { manifest, path } = folder;
  const [facts, { checkpoint, damage }] = [await factsOf(folder), await folder.progress()];
  const summary = await folder.summary();
  const letters = manifest.deadLetters ?? folder.file('dead-letters.ndjson');
  const hasLetters = (statSync(lettersFileOf(folder), { throwIfNoEntry: false })?.size ?? 0) > 0;
  return { facts, manifest, checkpoint, damage, summary, letters: hasLetters ? letters : undefined, path };
}

/** Options of `cleanRuns`: the runs to remove, and the callbacks for the results. */
export interface CleanOptions {
  /** Only this run. Default: each run in the folder. */
  readonly runId?: string | undefined;
  /** Also runs that can still resume, and broken ones. Default false. */
  readonly isAll?: boolean;
  /** Called with the id of each removed run. */
  readonly onRemoved?: (runId: string) => void;
  /** Called with the error for each broken run that could not be removed. */
  readonly onProblem?: (error: unknown) => void;
}

export interface Cleaned {
  /** The number of unfinished runs that were kept. */
  readonly kept: number;
  /** The number of broken runs that were kept. */
  readonly keptBroken: number;
}

/** Removes finished runs. Throws MILLRACE_UNKNOWN_RUN, and MILLRACE_FILE or MILLRACE_LOCKED for one broken run. */
export async function cleanRuns(runs: string, place: JobPlace, options: CleanOptions = {}): Promise<Cleaned> {
  const { runId, isAll = false, onRemoved, onProblem } = options;
  const broken: BrokenRun[] = [];
  const isMeant = ({ path }: { readonly path: string }): boolean => runId === undefined || basename(path) === runId;
  const folders = (await listRuns(pathFrom(place, runs), (one) => broken.push(one))).filter(isMeant);
  const unreadable: Pick<BrokenRun, 'runId' | 'path'>[] = broken.filter(isMeant);
  // For an unknown id, `openRun` throws an error that names the newest run.
  if (folders.length + unreadable.length === 0 && runId !== undefined) await openRun(runs, runId, place);
  let kept = 0;
  let keptBroken = 0;
  for (const folder of folders) {
    const state = await stateOf(folder);
    const isBroken = state === 'broken';
    const mayGo =
      state === 'finished' || (state === 'unfinished' && isAll) || (isBroken && (isAll || runId !== undefined));
    if (mayGo) {
      if (isBroken) unreadable.push({ runId: folder.manifest.runId, path: folder.path });
      else {
        await folder.remove();
        onRemoved?.(folder.manifest.runId);
      }
    } else if (isBroken) keptBroken++;
    else kept++;
  }
  for (const one of unreadable) {
    if (!isAll && runId === undefined) {
      keptBroken++;
      continue;
    }
    try {
      await removeBroken(one);
      onRemoved?.(one.runId);
    } catch (error) {
      if (runId !== undefined) throw error;
      onProblem?.(error);
    }
  }
  return { kept, keptBroken };
}

async function stateOf(folder: RunFolder): Promise<RunState | 'broken'> {
  try {
    return await folder.state();
  } catch {
    return 'broken';
  }
}

function brokenFacts({ runId, error }: Pick<BrokenRun, 'runId' | 'error'>): BrokenRunFacts {
  return { run: runId, workflow: '', state: 'broken', started: '', error };
}

async function rowOf(folder: RunFolder): Promise<RunFacts | BrokenRunFacts> {
  try {
    return await factsOf(folder);
  } catch (error) {
    const { runId, workflow, createdAt } = folder.manifest;
    return {
      ...brokenFacts({ runId, error: fileError('read', folder.path, error) }),
      workflow,
      started: new Date(createdAt).toISOString(),
    };
  }
}

async function factsOf(folder: RunFolder): Promise<RunFacts> {
  const { manifest } = folder;
  const checkpoint = await folder.checkpoint();
  const watermarks = Object.values(checkpoint?.roots ?? {}).map(({ watermark }) => watermark);
  const damages = await folder.damages();
  return {
    run: manifest.runId,
    workflow: manifest.workflow,
    state: await folder.state(),
    started: new Date(manifest.createdAt).toISOString(),
    incarnations: await folder.incarnations(),
    settled: watermarks.reduce((sum, watermark) => sum + watermark, 0),
    ...(damages.length > 0 && { damages }),
  };
}
