/**
 * Runs a job from its start to its end.
 *
 * Guarantees: the folder of a kept run is released when the run ends, and removed if the run could not start; the end
 * of the run is returned as a value, also if the run failed.
 */
import { writeFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import { codeOf } from '../model/errors.js';
import type { RunSummary } from '../model/run-summary.js';
import type { RunOptions } from '../runtime/definition/run-options.js';
import type { Run } from '../runtime/run/run.js';
import type { RunFolder } from '../storage/run-folder.js';
import type { Secrets } from '../text/secrets.js';
import type { ReadyRun } from './kept-run.js';
import type { JobPlace, NodeFacts } from './place.js';

/** The end of a run. */
export interface RunEnd {
  /** Undefined only if the run failed without a summary. */
  readonly summary: RunSummary | undefined;
  /** The error of the run, or else the error that kept its end from being stored. */
  readonly failure?: { readonly error: unknown };
  /** The file with the details of a broken law of the engine. */
  readonly brokenLawFile?: string | undefined;
}

/**
 * Runs the job. `onStart` is called in the turn in which the run was created, so that a subscriber misses no event.
 * `overrides` replace options of the ready run. Rejects with the errors that `PreparedWorkflow.run` throws.
 */
export async function runJob(
  { job, options, folder, notices = [] }: ReadyRun,
  { node }: JobPlace,
  onStart: (run: Run) => void,
  overrides: RunOptions = {},
): Promise<RunEnd> {
  let run: Run;
  try {
    run = job.prepared.run({ ...options, ...overrides });
  } catch (error) {
    await folder?.undo();
    throw error;
  }
  onStart(run);
  for (const notice of notices) run.notice(notice);
  let end: RunEnd;
  try {
    end = { summary: await run.finished };
  } catch (error) {
    const { summary } = error as { summary?: RunSummary };
    const isBrokenLaw = codeOf(error) === 'MILLRACE_CONSERVATION';
    const brokenLawFile =
      isBrokenLaw && folder !== undefined ? await keepBrokenLaw(folder, error, job.secrets, node) : undefined;
    end = { summary, failure: { error }, brokenLawFile };
  }
  try {
    await folder?.end(end.summary);
  } catch (error) {
    // The first failure is the one to report.
    end = { failure: { error }, ...end };
  }
  return end;
}

/** Writes the facts that help to find the bug behind a broken law, in millrace or in a task. */
async function keepBrokenLaw(
  folder: RunFolder,
  error: unknown,
  secrets: Secrets,
  { version }: NodeFacts,
): Promise<string | undefined> {
  const path = folder.file('broken-law.json');
  const details = {
    error: secrets.message(inspect(error, { depth: 6 })),
    ...(error as { summary?: object }),
    node: `v${version}`,
  };
  return writeFile(path, `${JSON.stringify(details, null, 2)}\n`).then(
    () => path,
    () => undefined,
  );
}
