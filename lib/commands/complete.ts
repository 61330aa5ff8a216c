/**
 * The words that may come next on the command line, for the completion of a shell.
 *
 * Guarantees: no workflow is loaded and nothing is run; names are read from the text of workflow files, and ids of runs
 * from the names of their folders; a file or folder that cannot be read has no answers.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Options } from 'yargs';
import { workflowWord, type Command } from './command.js';
import { FILES, SHELLS } from './completion-scripts.js';
import { TEMPLATES } from './project-files.js';
import { DEFAULT_RUNS_FOLDER } from '../jobs/place.js';
import { here } from './here.js';
import { localWorkflowFiles } from '../jobs/workflows/workflow-files.js';

/** A value, with one line of description. */
type Answer = readonly [value: string, description: string];

type Answers = (options: ReadonlyMap<string, string>) => readonly Answer[];

/** The workflows of this package, which are not loaded here either. */
const REGISTERED_NAMES = ['OfferWorkFlow'];

/** The most ids of runs to offer, the newest first: a longer list does not help. */
const MAX_RUNS = 50;

const BUILT_IN: Readonly<Record<string, Options>> = {
  help: { type: 'boolean', describe: 'Show help' },
  version: { type: 'boolean', describe: 'Show version number' },
};

const files: Answers = () => [[FILES, '']];

const oneOf =
  (...values: readonly string[]): Answers =>
  () =>
    values.map((value) => [value, '']);

const runs: Answers = (options) => runIds(options.get('runs') ?? DEFAULT_RUNS_FOLDER).map((id) => [id, '']);

const workflows: Answers = () => [...workflowNames().map((name): Answer => [name, '']), [FILES, '']];

const either =
  (...answers: readonly Answers[]): Answers =>
  (options) =>
    answers.flatMap((answer) => answer(options));

/** The answers for values of options, and for words after a command. Options without an entry have any value. */
const VALUES: Readonly<Record<string, Answers>> = {
  workflow: workflows,
  [workflowWord.name]: workflows,
  config: files,
  'dead-letters': files,
  runs: files,
  events: files,
  log: files,
  openlineage: files,
  out: files,
  millrace: files,
  folder: files,
  'log-format': oneOf('json', 'pretty'),
  'log-level': oneOf('debug', 'info', 'warn', 'error'),
  format: oneOf('text', 'mermaid'),
  template: oneOf(...TEMPLATES),
  shell: oneOf(...SHELLS),
  run: runs,
  action: oneOf('list', 'show', 'clean'),
  'workflow-name': workflows,
  'schedules-action': oneOf('list', 'history', 'pause', 'unpause'),
  what: either(oneOf('replay'), runs),
};

/**
 * The answers for `words`, as lines for the shell. The user is typing the last word.
 * @param commands all of them; the first is the default one
 */
export function complete(words: readonly string[], commands: readonly Command[]): readonly string[] {
  // bash splits --option=value into three words.
  const typed = words.filter((word, index) => word !== '=' || index === words.length - 1);
  const current = typed.at(-1) ?? '';
  const { command, behind, pending, options } = read(typed.slice(0, -1), commands);
  const known = { ...(command ?? commands[0])?.options, ...BUILT_IN };
  const assigned = /^--([^=]+)=(.*)$/s.exec(current);
  if (assigned !== null && assigned[1] !== undefined) {
    const answers = valuesOf(assigned[1], options).filter(([value]) => value !== FILES);
    return lines(
      answers.map(([value, about]) => [`--${String(assigned[1])}=${value}`, about]),
      current,
    );
  }
  if (pending !== undefined) return lines(valuesOf(pending, options), current === '=' ? '' : current);
  if (current.startsWith('-')) {
    const names = Object.entries(known).map(([name, { describe }]): Answer => [`--${name}`, describe ?? '']);
    return lines(names, current);
  }
  if (command === undefined) {
    return lines(
      commands.map(({ name, description }) => [name, description]),
      current,
    );
  }
  const word = command.words?.[behind];
  return word === undefined ? [] : lines(valuesOf(word.name, options), current);
}

interface Typed {
  readonly command: Command | undefined;
  /** The number of words after the command. */
  readonly behind: number;
  /** The option whose value is the next word. */
  readonly pending: string | undefined;
  readonly options: ReadonlyMap<string, string>;
}

function read(words: readonly string[], commands: readonly Command[]): Typed {
  const options = new Map<string, string>();
  let command: Command | undefined;
  let behind = 0;
  let pending: string | undefined;
  for (const word of words) {
    const [, name, value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (pending !== undefined) {
      options.set(pending, word);
      pending = undefined;
    } else if (name !== undefined) {
      const option = (command ?? commands[0])?.options[name];
      if (value !== undefined) options.set(name, value);
      else if (option !== undefined && option.type !== 'boolean') pending = name;
    } else if (command !== undefined) behind++;
    else if (!word.startsWith('-')) command = commands.find((one) => one.name === word);
  }
  return { command, behind, pending, options };
}

function valuesOf(name: string, options: ReadonlyMap<string, string>): readonly Answer[] {
  return VALUES[name]?.(options) ?? [];
}

function lines(answers: readonly Answer[], current: string): readonly string[] {
  return answers
    .filter(([value]) => value === FILES || value.startsWith(current))
    .map(([value, about]) => (about === '' ? value : `${value}\t${about}`));
}

function runIds(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return entries
      .map(({ name }) => name)
      .sort()
      .reverse()
      .slice(0, MAX_RUNS);
  } catch {
    return [];
  }
}

/** The workflow names in the text of the files: loading the files would run them. */
function workflowNames(): readonly string[] {
  const found = localWorkflowFiles(here()).flatMap((file) => {
    try {
      const text = readFileSync(file, 'utf8');
      return [...text.matchAll(/\bdefineWorkflow\(\s*\{\s*name:\s*(['"`])([\w.-]+)\1/g)].map((match) =>
        String(match[2]),
      );
    } catch {
      return [];
    }
  });
  return [...new Set([...found, ...REGISTERED_NAMES])];
}
