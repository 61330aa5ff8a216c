/**
 * The arguments of one command, read strictly. yargs alone accepts too much: `--window x` becomes NaN, two `--config`
 * become a list, and an unknown option is ignored.
 *
 * Guarantees: an argument that is not understood is one sentence with the code MILLRACE_USAGE and the nearest known
 * option.
 */
import type { Options } from 'yargs';
import { MillraceError } from '../model/errors.js';
import { isSecretName } from '../text/mask-secrets.js';
import { nearest, suggest } from '../text/nearest.js';

/** The command line as yargs parsed it. */
export type Given = Readonly<Record<string, unknown>>;

/** Options that yargs handles itself. */
const BUILT_IN = ['help', 'version', 'h'];

export class Arguments {
  private readonly given: Given;

  /**
   * `options` are the options of the command, `commands` the words that may come first, `words` the names of the words
   * after the command. Throws MILLRACE_USAGE.
   */
  constructor(
    given: Given,
    options: Readonly<Record<string, Options>>,
    commands: readonly string[],
    words: readonly string[] = [],
  ) {
    this.given = given;
    checkWords(given, commands, words);
    const empty = words.find((name) => given[name] === '');
    if (empty !== undefined) {
      throw refuse(
        `Expected <${empty}> to be text that is not empty, got ''. Check the variable of the shell, or leave it out`,
      );
    }
    for (const [name, value] of Object.entries(given)) {
      if (name === '_' || name === '$0' || BUILT_IN.includes(name) || words.includes(name)) continue;
      const option = options[name];
      if (option === undefined) throw unknownOption(name, value, [...Object.keys(options), 'help', 'version']);
      if (Array.isArray(value) && option.array !== true) {
        throw refuse(`Expected --${name} once, got it ${value.length} times. Remove all but one`);
      }
    }
  }

  /** A word after the command; '' if it was left out. */
  word(name: string): string {
    const value = this.given[name];
    return typeof value === 'string' ? value : '';
  }

  /** A word that must be one of these; undefined if it was left out. */
  wordOf<Value extends string>(name: string, values: readonly Value[]): Value | undefined {
    const word = this.word(name);
    const found = values.find((value) => value === word);
    if (word === '' || found !== undefined) return found;
    throw refuse(`Expected ${values.join(', ')} here, got '${word}'.${suggest(word, values)}`);
  }

  text(name: string): string | undefined {
    const value = this.given[name];
    if (value === undefined) return undefined;
    if (typeof value === 'string' && value !== '') return value;
    throw refuse(`Expected a value after --${name}, got nothing. Write --${name} <value>`);
  }

  /** Refuses options that the command has, but not for the requested action. */
  refuseOptions(names: readonly string[], because: string): void {
    const wrong = names.find((name) => this.given[name] !== undefined && this.given[name] !== false);
    if (wrong !== undefined) throw refuse(`--${wrong} ${because}. Remove it`);
  }

  flag(name: string): boolean {
    return this.given[name] === true;
  }

  texts(name: string): readonly string[] {
    return ((this.given[name] ?? []) as readonly unknown[]).map(String);
  }

  wholeNumber(name: string, least: number, most = Number.MAX_SAFE_INTEGER): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    const bounds = value > most || most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `of at least ${least}`;
    throw refuse(`Expected --${name} to be a whole number ${bounds}, got '${text}'`);
  }

  oneOf<Value extends string>(name: string, values: readonly Value[]): Value | undefined {
    const text = this.text(name);
    const found = values.find((value) => value === text);
    if (text === undefined || found !== undefined) return found;
    throw refuse(`Expected --${name} to be ${values.join(' or ')}, got '${text}'.${suggest(text, values)}`);
  }
}

function checkWords(given: Given, commands: readonly string[], names: readonly string[]): void {
  const [first, second] = (given['_'] as readonly unknown[]).map(String);
  if (first !== undefined && commands.includes(first)) {
    if (second !== undefined) throw refuse(`Expected options after the command ${first}, got '${second}'. Remove it`);
    return;
  }
  // Without a command, yargs passes the words to the default command, which then accepts only options.
  const word = names.map((name) => given[name]).find((value) => typeof value === 'string' && value !== '') ?? first;
  if (typeof word !== 'string') return;
  if (/[\\/]|\.[cm]?[jt]s$/.test(word)) {
    throw refuse(`Expected a command before a file, got '${word}'. Write run ${word}`);
  }
  throw refuse(
    `There is no command '${word}'.${suggest(word, commands)} For a workflow of this name write run ${word}`,
  );
}

function unknownOption(name: string, value: unknown, known: readonly string[]): MillraceError {
  const dashes = (option: string): string => (option.length === 1 ? `-${option}` : `--${option}`);
  const problem = `There is no option ${dashes(name)} here.`;
  const options = known.map(dashes);
  // Users easily mistake a setting of the workflow for an option.
  if (
    known.includes('set') &&
    typeof value === 'string' &&
    value !== '' &&
    nearest(dashes(name), options) === undefined
  ) {
    return refuse(`${problem} For a setting of the workflow write --set ${name}=${isSecretName(name) ? '…' : value}`);
  }
  return refuse(`${problem}${suggest(dashes(name), options)}`);
}

function refuse(message: string): MillraceError {
  return new MillraceError('MILLRACE_USAGE', message);
}
