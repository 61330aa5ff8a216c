/** `run`, the default command: one run of a workflow, told as it happens, and its outcome as the exit code. */
import type { Arguments } from './arguments.js';
import {
  configOptions,
  debugOptions,
  DEFAULT_RUNS_FOLDER,
  load,
  requestFrom,
  runsOptions,
  workflowOptions,
  workflowWord,
  type Command,
} from './command.js';
import { assertOptionFiles } from './option-files.js';
import { reportFor, reportOptions } from './report-options.js';
import { MillraceError } from '../model/errors.js';
import { oneLine } from '../text/printable.js';
import type { RunOptions } from '../runtime/definition/run-options.js';
import type { Execution } from './execute.js';
import type { RunRequest } from './kept-run.js';

const value = { type: 'string', requiresArg: true } as const;

export const runCommand: Command = {
  name: 'run',
  description: 'Run a workflow (the default command)',
  words: [workflowWord],
  options: {
    ...workflowOptions,
    ...configOptions,
    ...reportOptions,
    window: { ...value, describe: 'The most records of one source in flight (default: as the workflow says)' },
    seed: { ...value, describe: "The seed of the run's randomness, a whole number (default: drawn)" },
    threads: { ...value, describe: 'The most worker threads of the run; 0 runs inline (default: one a core)' },
    'dead-letters': { ...value, describe: 'Where to write dead letters, as NDJSON (default: as the workflow says)' },
    ...runsOptions,
    resume: {
      type: 'boolean',
      describe: 'Go on with the newest unfinished run of the same workflow, config and input',
    },
    ephemeral: { type: 'boolean', describe: 'Keep nothing of the run: it cannot be resumed' },
    ...debugOptions,
  },
  run: async (args, context) => {
    const report = await reportFor(args);
    try {
      const prepare = await preparationOf(args);
      const { execute } = await import('./execute.js');
      return await execute(prepare, args, report, context);
    } finally {
      report.release();
    }
  },
};

/** Checks what was asked for; what that resolves with makes the run's folder. */
async function preparationOf(args: Arguments): Promise<() => Promise<Execution>> {
  const request: RunRequest = { ...requestFrom(args), deadLetters: args.text('dead-letters') ?? null };
  const own = numbersOf(args);
  if (args.flag('ephemeral') && (args.flag('resume') || args.text('runs') !== undefined)) {
    throw new MillraceError(
      'MILLRACE_USAGE',
      'Expected --ephemeral without --resume and --runs: it keeps no run. Remove one',
    );
  }
  const loaded = await load(request);
  const { findUnfinished, keepNewRun, lettersOf, reopenRun } = await import('./kept-run.js');
  assertOptionFiles(args, loaded, lettersOf(request, loaded)?.location ?? null);
  if (args.flag('ephemeral')) {
    return async () => {
      const deadLetters = lettersOf(request, loaded);
      await deadLetters?.assertWritable?.();
      return { ...loaded, options: { ...own, ...(deadLetters === undefined ? {} : { deadLetters }) } };
    };
  }
  const runs = args.text('runs') ?? DEFAULT_RUNS_FOLDER;
  return async () => {
    const unfinished = args.flag('resume') ? await findUnfinished(runs, loaded, tell) : undefined;
    const kept = unfinished === undefined ? await keepNewRun(runs, request, loaded) : await reopenRun(unfinished);
    return { ...kept, options: { ...own, ...kept.options } };
  };
}

/** Also where the run is quiet: whoever asked to go on must know when it begins anew, and why. */
function tell(sentence: string): void {
  process.stderr.write(`${oneLine(sentence)}\n`);
}

function numbersOf(args: Arguments): RunOptions {
  const window = args.wholeNumber('window', 1);
  const seed = args.wholeNumber('seed', 0);
  const threads = args.wholeNumber('threads', 0);
  return {
    ...(window === undefined ? {} : { window }),
    ...(seed === undefined ? {} : { seed }),
    ...(threads === undefined ? {} : { threads }),
  };
}
