/** `run`, the default command: one run of a workflow, told as it happens, and its outcome as the exit code. */
import type { Arguments } from './arguments.js';
import {
  configOptions,
  debugOptions,
  loadFrom,
  workflowOptions,
  type Command,
  type CommandContext,
} from './command.js';
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.js';
import { explainError } from './explain-error.js';
import { quietReport, type Report } from './report.js';
import { stopOnSignals } from './stop-on-signals.js';
import { MillraceError } from '../core/errors.js';
import type { RunOptions } from '../runtime/workflow.js';
import type { RunSummary } from '../runtime/summary.js';

const value = { type: 'string', requiresArg: true } as const;

export const runCommand: Command = {
  name: 'run',
  description: 'Run a workflow (the default command)',
  options: {
    ...workflowOptions,
    ...configOptions,
    quiet: { type: 'boolean', describe: 'Print nothing but errors' },
    json: { type: 'boolean', describe: 'Print events as NDJSON on standard output, the summary as the last line' },
    window: { ...value, describe: 'The most records of one source in flight (default: as the workflow says)' },
    seed: { ...value, describe: "The seed of the run's randomness, a whole number (default: drawn)" },
    threads: { ...value, describe: 'The most worker threads of the run; 0 runs inline (default: one a core)' },
    'dead-letters': { ...value, describe: 'Where to write dead letters, as NDJSON (default: as the workflow says)' },
    ...debugOptions,
  },
  run: async (args, context) => {
    const report = await reportFor(args);
    try {
      return await runWith(args, report, context);
    } finally {
      report.release();
    }
  },
};

async function runWith(args: Arguments, report: Report, context: CommandContext): Promise<ExitCode> {
  const options = await runOptions(args, context);
  const { workflow, config } = await loadFrom(args);
  const run = workflow.run(config, options);
  // In the turn the run was made: no event may be missed, and no signal may find nobody who listens.
  report.start(run, workflow.name);
  const release = stopOnSignals(run, report);
  try {
    const summary = await run.finished;
    report.end(summary);
    return exitCodeOf(summary);
  } catch (error) {
    const { summary } = error as { summary?: RunSummary };
    if (summary !== undefined) report.end(summary);
    report.release();
    process.stderr.write(`${explainError(error, args.flag('debug'))}\n`);
    return EXIT.failed;
  } finally {
    release();
  }
}

async function runOptions(args: Arguments, context: CommandContext): Promise<RunOptions> {
  const window = args.wholeNumber('window', 1);
  const seed = args.wholeNumber('seed', 0);
  const threads = args.wholeNumber('threads', 0);
  const path = args.text('dead-letters');
  const { deadLetterFile } = path === undefined ? {} : await import('../storage/dead-letter-file.js');
  return {
    signal: context.outputClosed,
    ...(window === undefined ? {} : { window }),
    ...(seed === undefined ? {} : { seed }),
    ...(threads === undefined ? {} : { threads }),
    ...(path === undefined || deadLetterFile === undefined ? {} : { deadLetters: deadLetterFile(path) }),
  };
}

async function reportFor(args: Arguments): Promise<Report> {
  if (args.flag('quiet') && args.flag('json')) {
    throw new MillraceError('MILLRACE_USAGE', 'Expected --quiet or --json, got both. Remove one');
  }
  if (args.flag('quiet')) return quietReport();
  const { stdout, stderr } = process;
  if (args.flag('json')) return (await import('./json-report.js')).jsonReport(stdout, stderr);
  if (stdout.isTTY && stderr.isTTY && process.env['TERM'] !== 'dumb') {
    return (await import('./live-report.js')).liveReport(stdout, stderr);
  }
  const { plainReport } = await import('./plain-report.js');
  return plainReport((lines) => {
    stderr.write(lines);
  });
}
