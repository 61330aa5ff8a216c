/** `resume [run]`: continues an unfinished run from its last checkpoint; by default the newest one. */
import { debugOptions, runsFrom, runsOptions, secretOptions, type Command } from './command.js';
import { here } from './here.js';
import { MillraceError } from '../model/errors.js';
import type { RunFolder } from '../storage/run-folder.js';
import { oneLine } from '../text/printable.js';
import type { ReadyRun } from '../jobs/kept-run.js';
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
    const [{ execute }, { loadAgain, reopenRun }, { openRun }, { assertOptionFiles }] = await Promise.all([
      import('./execute.js'),
      import('../jobs/kept-run.js'),
      import('../jobs/kept-runs.js'),
      import('./output-files.js'),
    ]);
    const threads = args.wholeNumber('threads', 0);
    graceMsOf(args);
    const place = here(context);
    const runs = runsFrom(args);
    const folder = args.word('run') === '' ? await chosen(runs) : await openRun(runs, args.word('run'), place);
    if ((await folder.state()) === 'finished') {
      throw new MillraceError(
        'MILLRACE_RESUME',
        `Run ${folder.manifest.runId} has finished: there is nothing to resume`,
      );
    }
    const job = await loadAgain(folder, place, { settings: args.texts('set') });
    assertOptionFiles(args, job, folder.manifest.deadLetters);
    const report = await reportFor(args);
    try {
      const prepare = async (): Promise<ReadyRun> => {
        const ready = await reopenRun(folder, job, place);
        return { ...ready, options: { ...ready.options, ...(threads === undefined ? {} : { threads }) } };
      };
      return await execute(prepare, args, report, context);
    } finally {
      report.release();
    }
  },
};

/** The newest unfinished run. Prints its id, also if the output is quiet. */
async function chosen(runs: string): Promise<RunFolder> {
  const { newestUnfinished } = await import('../jobs/kept-runs.js');
  const say = (sentence: string): void => {
    process.stderr.write(`${oneLine(sentence)}\n`);
  };
  const folder = await newestUnfinished(runs, here(), say);
  say(`Resuming run ${folder.manifest.runId} of ${folder.manifest.workflow}`);
  return folder;
}
