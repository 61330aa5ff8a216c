/**
 * Reads a plain command line: a command, its words, and options that it has, each with its value. Most command lines
 * are plain. Reading them needs no parser, whose loading takes as long as the rest of a short command.
 *
 * Guarantees: the result is the same that yargs returns for these words, but for `-`; undefined for anything else, such as help, an
 * unknown option or a missing value.
 */
import type { Options } from 'yargs';
import type { Given } from './arguments.js';
import type { Command } from './command.js';

/** The requested command and its arguments; no command if the request was answered, as with help. */
export interface Parsed {
  readonly command: Command | undefined;
  readonly given: Given;
}

/** The first command is the default one. Without its name, it has no words. */
export function plainWords(words: readonly string[], commands: readonly Command[]): Parsed | undefined {
  const named = commands.find(({ name }) => name === words[0]);
  const command = named ?? commands[0];
  if (command === undefined) return undefined;
  const given: Record<string, unknown> = { _: named === undefined ? [] : [named.name], $0: 'millrace' };
  const meant = named?.words ?? [];
  let found = 0;
  const rest = (named === undefined ? words : words.slice(1)).values();
  for (const word of rest) {
    // `-` alone is a word: yargs would drop it.
    if (word.startsWith('-') && word !== '-') {
      if (!readOption(word, rest, command.options, given)) return undefined;
    } else {
      const next = meant[found++];
      if (next === undefined || !(isPlain(word) || word === '-')) return undefined;
      given[next.name] = word;
    }
  }
  const isComplete = meant.slice(found).every(({ isOptional }) => isOptional === true);
  return isComplete ? { command, given } : undefined;
}

/** Reads one option into `given`, and its value from the words after it. False if it is not plain. */
function readOption(
  word: string,
  rest: Iterator<string>,
  options: Readonly<Record<string, Options>>,
  given: Record<string, unknown>,
): boolean {
  const [, name = '', inWord] = /^--([a-z][a-z-]*)(?:=([^]*))?$/.exec(word) ?? [];
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) return false;
  const before = given[name];
  if (option.type === 'boolean') {
    if (inWord !== undefined || before !== undefined) return false;
    given[name] = true;
    return true;
  }
  const value: unknown = inWord ?? rest.next().value;
  if (typeof value !== 'string' || !isPlain(value)) return false;
  if (option.array === true) given[name] = [...((before as readonly string[] | undefined) ?? []), value];
  else if (before === undefined) given[name] = value;
  else return false;
  return true;
}

/** Whether yargs reads the word as it is: not as an option, not as a flag, and without removing quotes. */
function isPlain(word: string): boolean {
  return word !== '' && !/^[-'"]|^(?:true|false)$/.test(word);
}
