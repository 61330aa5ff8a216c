/** `resume [run]`: continues an unfinished run from its last checkpoint; by default the newest one. */
import { debugOptions, runsFrom, runsOptions, type Command } from './command.js';
import { here } from './here.js';
import { MillraceError } from '../model/errors.js';
import type { RunFolder } from '../storage/run-folder.js';
import { oneLine } from '../text/printable.js';
import type { ReadyRun } from '../jobs/kept-run.js';
import type { LoadedJob } from '../jobs/load-job.js';
import { reportFor, reportOptions } from './report-options.js';

export const resumeCommand: Command = {
  name: 'resume',
  description: 'Continue a run that was stopped, failed or killed',
  words: [
    {
      name: 'run',
      describe: 'The id of the run; `runs` lists them (default: the newest that has not finished)',
      isOptional: true,
    },
  ],
  options: {
    ...runsOptions,
    ...reportOptions,
    threads: {
      type: 'string',
      requiresArg: true,
      describe: 'The most worker threads; 0 runs inline (default: one per core)',
    },
    ...debugOptions,
  },
  run: async (args, context) => {
    const [{ execute }, { assertOptionFiles }] = await Promise.all([
      import('./execute.js'),
      import('./output-files.js'),
    ]);
    const threads = args.wholeNumber('threads', 0);
    const runs = runsFrom(args);
    const {
      folder,
      job,
      isRunning = false,
    } = args.word('run') === '' ? await newest(runs) : await named(runs, args.word('run'));
    assertOptionFiles(args, job, folder.manifest.deadLetters);
    const report = await reportFor(args);
    try {
      const prepare = async (): Promise<ReadyRun> => {
        const ready = await reopen(folder, job, isRunning);
        return { ...ready, options: { ...ready.options, ...(threads === undefined ? {} : { threads }) } };
      };
      return await execute(prepare, args, report, context);
    } finally {
      report.release();
    }
  },
};

interface ChosenRun {
  readonly folder: RunFolder;
  readonly job: LoadedJob;
  /** True if a process works on it, as far as can be seen from here. */
  readonly isRunning?: boolean;
}

/** The run with this id. */
async function named(runs: string, runId: string): Promise<ChosenRun> {
  const [{ loadAgain }, { openRun }] = await Promise.all([
    import('../jobs/kept-run.js'),
    import('../jobs/kept-runs.js'),
  ]);
  const folder = await openRun(runs, runId, here());
  const state = await folder.state();
  if (state === 'finished') {
    throw new MillraceError('MILLRACE_RESUME', `Run ${runId} has finished: there is nothing to resume`);
  }
  return { folder, job: await loadAgain(folder, here()), isRunning: state === 'running' };
}

/** After this wait for the process of a run, in milliseconds, the user is told about it. */
const TELL_AFTER_MS = 1000;

/** Reopens the run. A run that may still be worked on elsewhere is waited for. */
async function reopen(folder: RunFolder, job: LoadedJob, isRunning: boolean): Promise<ReadyRun> {
  const { reopenRun } = await import('../jobs/kept-run.js');
  if (!isRunning) return reopenRun(folder, job, here());
  const { runId } = folder.manifest;
  const telling = setTimeout(() => {
    say(`Run ${runId} was worked on a moment ago: waiting up to 30 seconds for a sign of life of its process`);
  }, TELL_AFTER_MS);
  try {
    return await reopenRun(folder, job, here());
  } finally {
    clearTimeout(telling);
  }
}

/** The newest unfinished run that can resume. Prints its id, also if the output is quiet. */
async function newest(runs: string): Promise<ChosenRun> {
  const [{ findResumable }, { noRunToResume }] = await Promise.all([
    import('../jobs/kept-run.js'),
    import('../jobs/kept-runs.js'),
  ]);
  const found = await findResumable(runs, here(), say);
  if (found === undefined) throw await noRunToResume(runs, here());
  say(`Resuming run ${found.folder.manifest.runId} of ${found.folder.manifest.workflow}`);
  return found;
}

/** Prints also if the output is quiet: the user must know which run resumes, and why. */
function say(sentence: string): void {
  process.stderr.write(`${oneLine(sentence)}\n`);
}
