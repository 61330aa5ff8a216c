/** `resume [run]`: goes on with a run that did not get to its end, from its last checkpoint; by default with the newest. */
import { debugOptions, DEFAULT_RUNS_FOLDER, runsOptions, type Command } from './command.js';
import { MillraceError } from '../model/errors.js';
import type { RunFolder } from '../storage/run-folder.js';
import { oneLine } from '../text/printable.js';
import type { Execution } from './execute.js';
import { assertOptionFiles } from './option-files.js';
import { reportFor, reportOptions } from './report-options.js';

export const resumeCommand: Command = {
  name: 'resume',
  description: 'Go on with a run that was stopped, failed or killed',
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
      describe: 'The most worker threads; 0 runs inline (default: one a core)',
    },
    ...debugOptions,
  },
  run: async (args, context) => {
    const [{ execute }, { loadAgain, reopenRun }, { RunFolder }] = await Promise.all([
      import('./execute.js'),
      import('./kept-run.js'),
      import('../storage/run-folder.js'),
    ]);
    const threads = args.wholeNumber('threads', 0);
    const runs = args.text('runs') ?? DEFAULT_RUNS_FOLDER;
    const folder = args.word('run') === '' ? await chosen(runs) : await RunFolder.open(runs, args.word('run'));
    if ((await folder.state()) === 'finished') {
      throw new MillraceError(
        'MILLRACE_RESUME',
        `Run ${folder.manifest.runId} has finished: there is nothing to resume`,
      );
    }
    assertOptionFiles(args, await loadAgain(folder), folder.manifest.deadLetters);
    const report = await reportFor(args);
    try {
      const prepare = async (): Promise<Execution> => {
        const kept = await reopenRun(folder);
        return { ...kept, options: { ...kept.options, ...(threads === undefined ? {} : { threads }) } };
      };
      return await execute(prepare, args, report, context);
    } finally {
      report.release();
    }
  },
};

/** The newest unfinished run; says which one it is, also where the run is quiet. */
async function chosen(runs: string): Promise<RunFolder> {
  const { newestUnfinished } = await import('./newest-unfinished.js');
  const say = (sentence: string): void => {
    process.stderr.write(`${oneLine(sentence)}\n`);
  };
  const folder = await newestUnfinished(runs, say);
  say(`Resuming run ${folder.manifest.runId} of ${folder.manifest.workflow}`);
  return folder;
}
