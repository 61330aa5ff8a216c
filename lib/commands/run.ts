/** `run`, the default command: runs a workflow once, reports it meanwhile, and returns its outcome as the exit code. */
import type { Arguments } from './arguments.js';
import {
  configOptions,
  debugOptions,
  requestFrom,
  runsFrom,
  runsOptions,
  workflowNamed,
  workflowOptions,
  workflowWord,
  type Command,
  type CommandContext,
} from './command.js';
import { here } from './here.js';
import { graceMsOf, reportFor, reportOptions, stopOptions } from './report-options.js';
import { MillraceError } from '../model/errors.js';
import { oneLine } from '../text/printable.js';
import type { RunOptions } from '../runtime/definition/run-options.js';
import type { ReadyRun } from '../jobs/kept-run.js';
import type { ExitCode } from './exit-codes.js';
import {
  kafkaOptions,
  partitionOptions,
  spreadRequestFrom,
  stallFrom,
  stallOptions,
  workerCountOptions,
} from './spread-options.js';
import { assertForServer, withServer } from './server-client.js';
import { watchedRun } from './watched-run.js';

const value = { type: 'string', requiresArg: true } as const;

export const runCommand: Command = {
  name: 'run',
  description: 'Run a workflow (the default command)',
  words: [workflowWord],
  options: {
    ...workflowOptions,
    ...configOptions,
    ...reportOptions,
    ...stopOptions,
    window: { ...value, describe: 'The most records of one source in flight (default: set by the workflow)' },
    seed: { ...value, describe: "The seed of the run's randomness, a whole number (default: random)" },
    threads: { ...value, describe: 'The most worker threads of the run; 0 runs inline (default: one per core)' },
    'dead-letters': { ...value, describe: 'Where to write dead letters, as NDJSON (default: set by the workflow)' },
    ...runsOptions,
    resume: {
      type: 'boolean',
      describe: 'Resume the newest unfinished run of the same workflow, config and input',
    },
    watch: {
      type: 'boolean',
      describe: 'Run again when the workflow, what it imports, its config or its input files change',
    },
    'run-id': { ...value, describe: 'The id of the run, which must be new (default: the time and a random part)' },
    ephemeral: { type: 'boolean', describe: 'Keep nothing of the run: it cannot be resumed' },
    ...kafkaOptions,
    ...partitionOptions,
    ...workerCountOptions,
    ...stallOptions,
    ...withServer('it runs the workflow of this name, and the command follows the run'),
    ...debugOptions,
  },
  run: async (args, context) => {
    if (args.text('server') !== undefined) {
      assertForServer(args, runCommand.options, ['workflow', 'set', 'quiet']);
      const { runOnServer } = await import('./run-on-server.js');
      return runOnServer(args, context);
    }
    if (args.text('kafka') !== undefined) return spread(args, context);
    args.refuseOptions(['partitions', 'workers', 'stall'], 'needs --kafka');
    if (args.flag('watch')) return watch(args, context);
    const report = await reportFor(args);
    try {
      const { prepare, stopped } = await preparationOf(args, context);
      const { execute } = await import('./execute.js');
      const outputClosed =
        stopped === undefined ? context.outputClosed : AbortSignal.any([context.outputClosed, stopped]);
      return await execute(prepare, args, report, { ...context, outputClosed });
    } finally {
      report.release();
    }
  },
};

/** Options that have no meaning for a run that is spread over several processes. */
const IN_ONE_PROCESS = ['window', 'seed', 'threads', 'resume', 'watch'];

/** Creates the topics of a run, unless they exist, works on it, and reports it as one run. */
async function spread(args: Arguments, context: CommandContext): Promise<ExitCode> {
  args.refuseOptions(IN_ONE_PROCESS, 'cannot be combined with --kafka');
  const workers = args.wholeNumber('workers', 1, 256) ?? 1;
  graceMsOf(args);
  if (args.flag('ephemeral') && args.text('runs') !== undefined) {
    throw new MillraceError('MILLRACE_USAGE', 'Expected --ephemeral without --runs: it keeps no run. Remove one');
  }
  const given = runIdFrom(args);
  const report = await reportFor(args);
  try {
    const place = here(context);
    const request = { ...(await requestFrom(args, place)), deadLetters: args.text('dead-letters') ?? null };
    const [{ lettersOf }, { prepareSpreadRun }, { workerCommand }, { assertOptionFiles }, { execute }] =
      await Promise.all([
        import('../jobs/load-job.js'),
        import('../jobs/spread/spread-run.js'),
        import('./work.js'),
        import('./output-files.js'),
        import('./execute.js'),
      ]);
    const start = {
      ...spreadRequestFrom(args, given),
      runs: args.flag('ephemeral') ? undefined : runsFrom(args),
      workers,
      workerCommand: (id: string) => workerCommand(args, id),
      onNotice: printSentence,
      worker: stallFrom(args),
    };
    const { job, runId, create } = await prepareSpreadRun(request, start, place);
    assertOptionFiles(args, job, lettersOf(job, place)?.location ?? null);
    const notices = [`Another worker joins with: millrace worker … --run-id ${runId}`];
    return await execute(async () => ({ ...(await create()), notices }), args, report, context);
  } finally {
    report.release();
  }
}

/** Runs the same command line, without `--watch`, once at first and again after each change. */
async function watch(args: Arguments, context: CommandContext): Promise<ExitCode> {
  args.refuseOptions(['resume'], 'cannot be combined with --watch, which starts each run from the beginning');
  const { rerunOnChange } = await import('./rerun-on-change.js');
  return rerunOnChange({
    // A workflow that is not named is found by each run, so that a file that does not load yet is watched too.
    request: { workflow: workflowNamed(args), config: args.text('config') ?? null },
    place: here(context),
    words: process.argv.slice(2).filter((word) => !/^--watch(=true)?$/.test(word)),
    say: args.flag('quiet') ? () => undefined : printSentence,
  });
}

interface Preparation {
  /** Creates the folder of the run. */
  readonly prepare: () => Promise<ReadyRun>;
  /** Cancels the run; undefined if it is not a run of `--watch`. */
  readonly stopped: AbortSignal | undefined;
}

/** Checks the request, and creates nothing yet. */
async function preparationOf(args: Arguments, context: CommandContext): Promise<Preparation> {
  const own = numbersOf(args);
  graceMsOf(args);
  const [isEphemeral, isResume] = [args.flag('ephemeral'), args.flag('resume')];
  const runId = runIdFrom(args);
  if (runId !== undefined && (isEphemeral || isResume)) {
    throw new MillraceError(
      'MILLRACE_USAGE',
      'Expected --run-id without --ephemeral and --resume: it is for a new run that is kept. Remove one',
    );
  }
  if (isEphemeral && (isResume || args.text('runs') !== undefined)) {
    throw new MillraceError(
      'MILLRACE_USAGE',
      'Expected --ephemeral without --resume and --runs: it keeps no run. Remove one',
    );
  }
  const [place, runs] = [here(context), runsFrom(args)];
  const request = { ...(await requestFrom(args, place)), deadLetters: args.text('dead-letters') ?? null };
  const [{ lettersOf, loadJob }, { findUnfinished, prepareRun }] = await Promise.all([
    import('../jobs/load-job.js'),
    import('../jobs/kept-run.js'),
  ]);
  const { job, folder } = isResume
    ? await findUnfinished(runs, request, place, printSentence)
    : { job: await loadJob(request, place), folder: undefined };
  const { assertOptionFiles } = await import('./output-files.js');
  const stopped = watchedRun(job, place);
  assertOptionFiles(args, job, lettersOf(job, place)?.location ?? null);
  const prepare = async (): Promise<ReadyRun> => {
    const ready = await prepareRun(job, place, isEphemeral ? 'ephemeral' : (folder ?? { runs, runId }));
    return { ...ready, options: { ...own, ...ready.options } };
  };
  return { prepare, stopped };
}

/**
 * Prints also if the run is quiet: a user of --resume must know if a new run starts instead, and why, and a run that waits
 * for its brokers has not started.
 */
function printSentence(sentence: string): void {
  process.stderr.write(`${oneLine(sentence)}\n`);
}

function runIdFrom(args: Arguments): string | undefined {
  const runId = args.text('run-id');
  if (runId === undefined || /^[A-Za-z0-9][\w.-]{0,63}$/.test(runId)) return runId;
  throw new MillraceError(
    'MILLRACE_USAGE',
    `Expected --run-id to have at most 64 letters, digits, '.', '_' and '-', and to start with a letter or digit, got '${runId}'`,
  );
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
