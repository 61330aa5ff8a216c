/**
 * The runs that were kept in a folder: opened, listed, inspected and removed.
 *
 * Guarantees: a broken run hides no other; a run that can resume, or is broken, is removed only where that is asked for.
 */
import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Checkpoint } from '../model/checkpoint.js';
import { MillraceError } from '../model/errors.js';
import { removeBroken, type BrokenRun } from '../storage/broken-run.js';
import { listRuns, RunFolder, type RunManifest, type RunState } from '../storage/run-folder.js';
import { pathFrom, type JobPlace } from './place.js';

/** What is known of a kept run. */
export interface RunFacts {
  readonly run: string;
  readonly workflow: string;
  readonly state: RunState;
  /** ISO 8601. */
  readonly started: string;
  /** Processes that have worked on it. */
  readonly lives: number;
  /** Records settled without a gap, of all sources. */
  readonly settled: number;
}

/** What is known of a run that cannot be read. */
export interface BrokenRunFacts {
  readonly run: string;
  /** '' where it is not known. */
  readonly workflow: string;
  readonly state: 'broken';
  /** ISO 8601; '' where it is not known. */
  readonly started: string;
  readonly error: MillraceError;
}

/** Everything that is kept about one run. */
export interface RunDetails {
  readonly facts: RunFacts;
  readonly manifest: RunManifest;
  readonly checkpoint: Checkpoint | undefined;
  /** How its last life ended. */
  readonly summary: Awaited<ReturnType<RunFolder['summary']>>;
  /** The file of its dead letters; undefined where there are none. */
  readonly letters: string | undefined;
  /** The folder of the run. */
  readonly path: string;
}

/** A kept run. Throws MILLRACE_UNKNOWN_RUN, and MILLRACE_FILE where its manifest is broken. */
export function openRun(runs: string, runId: string, place: JobPlace): Promise<RunFolder> {
  return RunFolder.open(pathFrom(place, runs), runId);
}

/**
 * The newest run in the folder `runs` that has not finished and has no process that works on it. Broken runs are passed
 * over, and `pass` gets a sentence about each. Throws MILLRACE_UNKNOWN_RUN where there is none.
 */
export async function newestUnfinished(
  runs: string,
  place: JobPlace,
  pass: (sentence: string) => void,
): Promise<RunFolder> {
  const folders = await listRuns(pathFrom(place, runs), ({ runId, error }) => {
    pass(`Run ${runId} is passed over: ${error.message}`);
  });
  for (const folder of folders.reverse()) {
    const { runId } = folder.manifest;
    try {
      if ((await folder.state()) === 'unfinished') return folder;
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      pass(`Run ${runId} is passed over: ${error.message}`);
    }
  }
  const count = folders.length === 0 ? 'none is kept there' : 'each has finished, or another process works on it';
  throw new MillraceError(
    'MILLRACE_UNKNOWN_RUN',
    `There is no run to resume in ${runs}: ${count}. \`runs\` lists them`,
  );
}

/** The file of the dead letters of a run, wherever it is asked from. */
export function lettersFileOf(folder: RunFolder): string {
  const { deadLetters, cwd } = folder.manifest;
  return deadLetters === null ? folder.file('dead-letters.ndjson') : resolve(cwd, deadLetters);
}

/** All runs in `runs`: readable ones first, oldest first. */
export async function listKeptRuns(runs: string, place: JobPlace): Promise<(RunFacts | BrokenRunFacts)[]> {
  const broken: BrokenRun[] = [];
  const folders = await listRuns(pathFrom(place, runs), (one) => broken.push(one));
  const readable = await Promise.all(folders.map(rowOf));
  return [...readable, ...broken.map(brokenFacts)];
}

/** One run as `listKeptRuns` returns it. Throws MILLRACE_UNKNOWN_RUN, and MILLRACE_FILE where its manifest is broken. */
export async function keptRunOf(runs: string, runId: string, place: JobPlace): Promise<RunFacts | BrokenRunFacts> {
  return rowOf(await openRun(runs, runId, place));
}

/** Everything about one run. Throws MILLRACE_UNKNOWN_RUN, and MILLRACE_FILE where one of its files is broken. */
export async function inspectRun(runs: string, runId: string, place: JobPlace): Promise<RunDetails> {
  const folder = await openRun(runs, runId, place);
  const { manifest, path } = folder;
  const [facts, checkpoint, summary] = [await factsOf(folder), await folder.checkpoint(), await folder.summary()];
  const letters = manifest.deadLetters ?? folder.file('dead-letters.ndjson');
  const hasLetters = (statSync(lettersFileOf(folder), { throwIfNoEntry: false })?.size ?? 0) > 0;
  return { facts, manifest, checkpoint, summary, letters: hasLetters ? letters : undefined, path };
}

/** Which runs to remove, and who hears about it. */
export interface CleanOptions {
  /** Only this run. Default: each run in the folder. */
  readonly runId?: string | undefined;
  /** Also runs that can still resume, and broken ones. Default false. */
  readonly isAll?: boolean;
  /** Called with the id of each run, once it is removed. */
  readonly onRemoved?: (runId: string) => void;
  /** Called with the reason why a broken run could not be removed. */
  readonly onProblem?: (error: unknown) => void;
}

export interface Cleaned {
  /** Runs that are not finished, and were kept. */
  readonly kept: number;
  /** Broken runs that were kept. */
  readonly keptBroken: number;
}

/** Removes finished runs. Throws MILLRACE_UNKNOWN_RUN, and MILLRACE_FILE or MILLRACE_LOCKED for one broken run. */
export async function cleanRuns(runs: string, place: JobPlace, options: CleanOptions = {}): Promise<Cleaned> {
  const { runId, isAll = false, onRemoved, onProblem } = options;
  const broken: BrokenRun[] = [];
  const isMeant = ({ path }: { readonly path: string }): boolean => runId === undefined || basename(path) === runId;
  const folders = (await listRuns(pathFrom(place, runs), (one) => broken.push(one))).filter(isMeant);
  const unreadable = broken.filter(isMeant);
  // Throws that there is none, and which there are.
  if (folders.length + unreadable.length === 0 && runId !== undefined) await openRun(runs, runId, place);
  let kept = 0;
  let keptBroken = 0;
  for (const folder of folders) {
    const state = await stateOf(folder);
    const isBroken = state === 'broken';
    const mayGo =
      state === 'finished' || (state === 'unfinished' && isAll) || (isBroken && (isAll || runId !== undefined));
    if (mayGo) {
      await folder.remove();
      onRemoved?.(folder.manifest.runId);
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
  } catch (error) {
    if (error instanceof MillraceError) return 'broken';
    throw error;
  }
}

function brokenFacts({ runId, error }: Pick<BrokenRun, 'runId' | 'error'>): BrokenRunFacts {
  return { run: runId, workflow: '', state: 'broken', started: '', error };
}

async function rowOf(folder: RunFolder): Promise<RunFacts | BrokenRunFacts> {
  try {
    return await factsOf(folder);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    const { runId, workflow, createdAt } = folder.manifest;
    return { ...brokenFacts({ runId, error }), workflow, started: new Date(createdAt).toISOString() };
  }
}

async function factsOf(folder: RunFolder): Promise<RunFacts> {
  const { manifest } = folder;
  const checkpoint = await folder.checkpoint();
  const watermarks = Object.values(checkpoint?.roots ?? {}).map(({ watermark }) => watermark);
  return {
    run: manifest.runId,
    workflow: manifest.workflow,
    state: await folder.state(),
    started: new Date(manifest.createdAt).toISOString(),
    lives: await folder.incarnations(),
    settled: watermarks.reduce((sum, watermark) => sum + watermark, 0),
  };
}
