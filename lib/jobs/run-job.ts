/**
 * One run from its start to its end.
 *
 * Guarantees: the folder of a kept run is given up when the run ends, and removed where the run could not start; how the
 * run ended is a value, also where it failed.
 */
import { writeFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import { codeOf } from '../model/errors.js';
import type { RunSummary } from '../model/run-summary.js';
import type { RunOptions } from '../runtime/definition/run-options.js';
import type { Run } from '../runtime/run/run.js';
import type { RunFolder } from '../storage/run-folder.js';
import type { ReadyRun } from './kept-run.js';

/** How a run ended. */
export interface RunEnd {
  /** Undefined only where the run failed in a way that left none. */
  readonly summary: RunSummary | undefined;
  /** What it failed with. */
  readonly failure?: { readonly error: unknown };
  /** Where the details of a broken law of the engine are kept. */
  readonly brokenLawFile?: string | undefined;
}

/**
 * Runs the job. `onStart` is called in the turn the run was made, so that a subscriber misses no event. `options` are put
 * over those of the ready run. Rejects with what `PreparedWorkflow.run` throws, and where the end of the run cannot be
 * written to its folder.
 */
export async function runJob(
  { job, options, folder }: ReadyRun,
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
  try {
    const summary = await run.finished;
    await folder?.end(summary);
    return { summary };
  } catch (error) {
    const { summary } = error as { summary?: RunSummary };
    const isBrokenLaw = codeOf(error) === 'MILLRACE_CONSERVATION';
    const brokenLawFile = isBrokenLaw && folder !== undefined ? await keepBrokenLaw(folder, error) : undefined;
    await folder?.end(summary);
    return { summary, failure: { error }, brokenLawFile };
  }
}

/** Keeps everything that helps to find the mistake in millrace, or in a task, behind a broken law. */
async function keepBrokenLaw(folder: RunFolder, error: unknown): Promise<string> {
  const path = folder.file('broken-law.json');
  const node = `v${process.versions.node}`;
  const details = { error: inspect(error, { depth: 6 }), ...(error as { summary?: object }), node };
  await writeFile(path, `${JSON.stringify(details, null, 2)}\n`);
  return path;
}
