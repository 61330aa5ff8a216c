/** `resume [run]`: continues an unfinished run from its last checkpoint; by default the newest one. */
import { debugOptions, runsFrom, runsOptions, secretOptions, type Command } from './command.js';
import { here } from './here.js';
import type { Arguments } from './arguments.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { assertForServer, serverFrom, withServer } from './server-client.js';
import { MillraceError } from '../model/errors.js';
import type { RunFolder } from '../storage/run-folder.js';
import { oneLine } from '../text/printable.js';
import type { ReadyRun } from '../jobs/kept-run.js';
import type { LoadedJob } from '../jobs/load-job.js';
import type { JobPlace } from '../jobs/place.js';
import { graceMsOf, reportFor, reportOptions, stopOptions } from './report-options.js';

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
    ...withServer('it resumes the run'),
    ...secretOptions,
    ...reportOptions,
    ...stopOptions,
    threads: {
      type: 'string',
      requiresArg: true,
      describe: 'The most worker threads; 0 runs inline (default: one per core)',
    },
    ...debugOptions,
  },
  run: async (args, context) => {
    if (args.text('server') !== undefined) return resumeOnServer(args);
    const [{ execute }, { assertOptionFiles }] = await Promise.all([
      import('./execute.js'),
      import('./output-files.js'),
    ]);
    const threads = args.wholeNumber('threads', 0);
    graceMsOf(args);
    const place = here(context);
    const runId = args.word('run') === '' ? undefined : args.word('run');
    const { openForResume } = await import('../jobs/kept-run.js');
    const wanted = { runs: runsFrom(args), runId };
    const { folder, job, isRunning } = await openForResume(wanted, place, say, { settings: args.texts('set') });
    if (runId === undefined) say(`Resuming run ${folder.manifest.runId} of ${folder.manifest.workflow}`);
    assertOptionFiles(args, job, folder.manifest.deadLetters);
    const report = await reportFor(args);
    try {
      const prepare = async (): Promise<ReadyRun> => {
        const ready = await reopen(folder, job, place, isRunning);
        return { ...ready, options: { ...ready.options, ...(threads === undefined ? {} : { threads }) } };
      };
      return await execute(prepare, args, report, context);
    } finally {
      report.release();
    }
  },
};

/** Asks a server to resume the run. The server chooses the other options of the run. */
async function resumeOnServer(args: Arguments): Promise<ExitCode> {
  assertForServer(args, resumeCommand.options, []);
  const runId = args.word('run');
  if (runId === '') throw new MillraceError('MILLRACE_USAGE', 'Expected the id of a run after `resume`, with --server');
  await (await serverFrom(args)).runs.resume(runId);
  process.stderr.write(`Run ${runId} is queued, and resumes\n`);
  return EXIT.success;
}

/** After this wait for the process of a run, in milliseconds, a line informs the user. */
const NOTICE_AFTER_MS = 1000;

/** Reopens the run. If another process may still work on it, waits for that process. */
async function reopen(folder: RunFolder, job: LoadedJob, place: JobPlace, isRunning: boolean): Promise<ReadyRun> {
  const { reopenRun } = await import('../jobs/kept-run.js');
  if (!isRunning) return reopenRun(folder, job, place);
  const { runId } = folder.manifest;
  const waitNotice = setTimeout(() => {
    say(`Run ${runId} may still be at work: waiting up to 30 seconds for a sign of life of its process`);
  }, NOTICE_AFTER_MS);
  try {
    return await reopenRun(folder, job, place);
  } finally {
    clearTimeout(waitNotice);
  }
}

/** Prints also if the output is quiet: the user must know which run resumes, and why. */
function say(sentence: string): void {
  process.stderr.write(`${oneLine(sentence)}\n`);
}
