/**
 * Reads a command line with yargs, which also prints its help and its messages about mistakes.
 *
 * Guarantees: no command runs here; if help or the version is printed, there is no command to run.
 */
import yargs, { type Argv } from 'yargs';
import { MillraceError } from '../model/errors.js';
import { versionOfMillrace } from '../observe/version.js';
import type { Given } from './arguments.js';
import type { Command } from './command.js';
import { exitCodesText } from './exit-codes.js';
import type { Parsed } from './plain-words.js';

const WIDEST_HELP = 110;

/** The first command is the default one. Throws MILLRACE_USAGE, and the errors of yargs. */
export async function yargsWords(words: readonly string[], commands: readonly Command[]): Promise<Parsed> {
  const [byDefault] = commands;
  let parsed: Parsed = { command: undefined, given: {} };
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
      const what = isWordMissing ? wordMissing(words, commands) : (message ?? 'The command line is not understood');
      throw error ?? new MillraceError('MILLRACE_USAGE', `${what}. See --help`);
    });
  for (const command of commands) {
    const words = command.words ?? [];
    parser.command({
      command: command === byDefault ? [usageOf(command), '$0'] : usageOf(command),
      describe: command.description,
      builder: (options) => {
        for (const { name, describe } of words) options.positional(name, { type: 'string', describe });
        return options.options(command.options);
      },
      handler: (given: Given) => {
        parsed = { command, given };
      },
    });
  }
  await parser.parseAsync();
  return parsed;
}

/**
 * Hides types in the help. Options are read as text and checked by their command, so `[string]` behind a numeric option
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

function wordMissing(words: readonly string[], commands: readonly Command[]): string {
  const command = commands.find(({ name }) => words.includes(name)) ?? commands[0];
  if (command === undefined) return 'Expected a command';
  const meant = (command.words ?? []).filter(({ isOptional }) => isOptional !== true);
  const explained = meant.map(
    ({ name, describe }) => `<${name}> is ${describe.slice(0, 1).toLowerCase()}${describe.slice(1)}`,
  );
  return `Expected ${usageOf(command)}, got less: ${explained.join(', ')}`;
}
