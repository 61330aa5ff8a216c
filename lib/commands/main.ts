/**
 * The command line: runs a command and returns its exit code.
 *
 * Guarantees: `--help` and a mistyped option load no code but yargs; each error is one sentence on standard error with
 * its code, and without a stack unless `--debug` is given.
 */
import yargs, { type Argv } from 'yargs';
import { MillraceError } from '../model/errors.js';
import { versionOfMillrace } from '../observe/version.js';
import { Arguments, type Given } from './arguments.js';
import type { Command, CommandContext } from './command.js';
import { EXIT, exitCodesText, type ExitCode } from './exit-codes.js';
import { explainError } from './explain-error.js';
import { graphCommand } from './graph.js';
import { cancelCommand } from './cancel.js';
import { completionCommand } from './completion.js';
import { initCommand } from './init.js';
import { listCommand } from './list.js';
import { deadLettersCommand } from './dead-letters.js';
import { reportCommand } from './html-report.js';
import { resumeCommand } from './resume.js';
import { runCommand } from './run.js';
import { runsCommand } from './runs.js';
import { schedulesCommand } from './schedules.js';
import { serveCommand } from './serve.js';
import { triggerCommand } from './trigger.js';
import { whyCommand } from './why.js';
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
  validateCommand,
  serveCommand,
  triggerCommand,
  cancelCommand,
  schedulesCommand,
  initCommand,
  completionCommand,
];
const WIDEST_HELP = 110;

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
  // A request of a completion script: its words are unfinished, so yargs must not parse them.
  if (words[0] === completionCommand.name && words[1] === 'reply') {
    const { complete } = await import('./complete.js');
    for (const line of complete(words.slice(2), COMMANDS)) process.stdout.write(`${line}\n`);
    return EXIT.success;
  }
  let code: ExitCode = EXIT.success;
  const names = COMMANDS.map(({ name }) => name);
  const parser = withoutTypes(yargs([...words]))
    .scriptName('millrace')
    .usage('$0 [command] [options]\n\nRuns workflows: typed graphs of tasks that records stream through.')
    .detectLocale(false)
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'boolean-negation': false,
    })
    .wrap(Math.min(WIDEST_HELP, process.stdout.columns || WIDEST_HELP))
    .alias('help', 'h')
    .version(versionOfMillrace())
    .epilogue(exitCodesText())
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      // yargs counts words, and does not name the missing one.
      const isWordMissing = message?.startsWith('Not enough non-option arguments') === true;
      const what = isWordMissing ? wordMissing(words) : (message ?? 'The command line is not understood');
      throw error ?? new MillraceError('MILLRACE_USAGE', `${what}. See --help`);
    });
  for (const command of COMMANDS) {
    const words = command.words ?? [];
    parser.command({
      command: command.name === runCommand.name ? [usageOf(command), '$0'] : usageOf(command),
      describe: command.description,
      builder: (options) => {
        for (const { name, describe } of words) options.positional(name, { type: 'string', describe });
        return options.options(command.options);
      },
      handler: async (given: Given) => {
        const known = words.map(({ name }) => name);
        code = await command.run(new Arguments(given, command.options, names, known), context);
      },
    });
  }
  await parser.parseAsync();
  return code;
}

/**
 * Hides types in the help: options are read as text and checked by their command, so `[string]` behind a numeric option
 * would mislead.
 */
function withoutTypes(parser: Argv): Argv {
  // The types of yargs lack this method.
  type Configurable = Argv & { usageConfiguration(configuration: { readonly 'hide-types': boolean }): Argv };
  return (parser as Configurable).usageConfiguration({ 'hide-types': true });
}

function usageOf({ name, words = [] }: Command): string {
  return [name, ...words.map((word) => (word.isOptional === true ? `[${word.name}]` : `<${word.name}>`))].join(' ');
}

function wordMissing(words: readonly string[]): string {
  const command = COMMANDS.find(({ name }) => words.includes(name)) ?? runCommand;
  const meant = (command.words ?? []).filter(({ isOptional }) => isOptional !== true);
  const explained = meant.map(
    ({ name, describe }) => `<${name}> is ${describe.slice(0, 1).toLowerCase()}${describe.slice(1)}`,
  );
  return `Expected ${usageOf(command)}, got less: ${explained.join(', ')}`;
}

/** yargs throws its own errors for a missing value. */
function asUsage(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'YError') return error;
  return new MillraceError('MILLRACE_USAGE', `${error.message}. See --help`, { cause: error });
}
