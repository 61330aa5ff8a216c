/**
 * The command line: runs a command and returns its exit code.
 *
 * Guarantees: a command loads only the code that it needs, and no parser if its words are plain; each error is one
 * sentence on standard error with its code, and without a stack unless `--debug` is given.
 */
import { MillraceError } from '../model/errors.js';
import { Arguments } from './arguments.js';
import type { Command, CommandContext } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { explainCommand } from './explain.js';
import { explainError } from './explain-error.js';
import { graphCommand } from './graph.js';
import { backfillCommand } from './backfill.js';
import { backupCommand } from './backup.js';
import { cancelCommand } from './cancel.js';
import { completionCommand } from './completion.js';
import { initCommand } from './init.js';
import { lagCommand } from './lag.js';
import { listCommand } from './list.js';
import { deadLettersCommand } from './dead-letters.js';
import { reportCommand } from './html-report.js';
import { resumeCommand } from './resume.js';
import { logsCommand } from './logs.js';
import { plainWords, type Parsed } from './plain-words.js';
import { runCommand } from './run.js';
import { runsCommand } from './runs.js';
import { schedulesCommand } from './schedules.js';
import { serveCommand } from './serve.js';
import { topicsCommand } from './topics.js';
import { transactionsCommand } from './transactions.js';
import { triggerCommand } from './trigger.js';
import { whyCommand } from './why.js';
import { workerCommand } from './worker.js';
import { validateCommand } from './validate.js';

/** All commands; the first is the default one. */
const COMMANDS: readonly Command[] = [
  runCommand,
  resumeCommand,
  runsCommand,
  deadLettersCommand,
  whyCommand,
  reportCommand,
  listCommand,
  graphCommand,
  explainCommand,
  validateCommand,
  workerCommand,
  topicsCommand,
  lagCommand,
  transactionsCommand,
  serveCommand,
  triggerCommand,
  cancelCommand,
  logsCommand,
  schedulesCommand,
  backfillCommand,
  backupCommand,
  initCommand,
  completionCommand,
];

/** Runs the command line `words` (without node and script) and resolves with the exit code. Never rejects. */
export async function main(words: readonly string[], context: CommandContext): Promise<ExitCode> {
  try {
    return await dispatch(words, context);
  } catch (error) {
    process.stderr.write(`${explainError(asUsage(error), words.includes('--debug'), context.secrets)}\n`);
    return EXIT.usage;
  }
}

async function dispatch(words: readonly string[], context: CommandContext): Promise<ExitCode> {
  // A request of a completion script. Its words are unfinished, so yargs must not parse them.
  if (words[0] === completionCommand.name && words[1] === 'reply') {
    const { complete } = await import('./complete.js');
    for (const line of complete(words.slice(2), COMMANDS)) process.stdout.write(`${line}\n`);
    return EXIT.success;
  }
  const { command, given } = plainWords(words, COMMANDS) ?? (await parsed(words));
  if (command === undefined) return EXIT.success;
  const names = COMMANDS.map(({ name }) => name);
  const own = (command.words ?? []).map(({ name }) => name);
  return command.run(new Arguments(given, command.options, names, own), context);
}

/** Parses words that are not plain, such as help, the version and mistakes, with yargs. */
async function parsed(words: readonly string[]): Promise<Parsed> {
  const { yargsWords } = await import('./yargs-words.js');
  return yargsWords(words, COMMANDS);
}

/** yargs throws its own errors for a missing value. */
function asUsage(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'YError') return error;
  return new MillraceError('MILLRACE_USAGE', `${error.message}. See --help`, { cause: error });
}
