/** A command of the command line, and the options that several commands share. */
import type { Options } from 'yargs';
import { describeThrown, MillraceError } from '../model/errors.js';
import type { Arguments } from './arguments.js';
import type { ExitCode } from './exit-codes.js';
import { here } from './here.js';
import type { JobRequest, LoadedJob } from '../jobs/load-job.js';
import { DEFAULT_RUNS_FOLDER, type JobPlace } from '../jobs/place.js';
import type { Secrets } from '../text/secrets.js';

/**
 * A command. `run` prints its result on standard output, everything else on standard error, and resolves with the exit
 * code. It throws for wrong usage or a wrong configuration. The error is then printed as one sentence, and nothing is
 * run.
 */
export interface Command {
  /** The name as users type it. The first command of the list is the default one. */
  readonly name: string;
  readonly description: string;
  /** The words after the name, in order: required ones first. */
  readonly words?: readonly CommandWord[];
  readonly options: Readonly<Record<string, Options>>;
  run(args: Arguments, context: CommandContext): Promise<ExitCode>;
}

export interface CommandWord {
  readonly name: string;
  readonly describe: string;
  readonly isOptional?: boolean;
}

/** The facts about its process that a command uses. */
export interface CommandContext {
  /** Aborts when the reader of standard output has gone. */
  readonly outputClosed: AbortSignal;
  /** The values to mask in all output of the command. */
  readonly secrets: Secrets;
  /** Sets the last sentence that is printed if code of the user ends the process; undefined for none. */
  setLastWords(sentence: string | undefined): void;
  /** Ends the process at once, with all its pending work. */
  exit(code: ExitCode): void;
}

const text = { type: 'string', requiresArg: true } as const;

/** The workflow as a word after the command, instead of `--workflow`. */
export const workflowWord = {
  name: 'name-or-file',
  describe: 'The workflow, as for --workflow',
  isOptional: true,
} as const satisfies CommandWord;

export const workflowOptions = {
  workflow: {
    ...text,
    describe: 'A name, ./file.js, or ./file.js#Name (default: the workflow in ./workflows, if there is only one)',
  },
} satisfies Record<string, Options>;

export const configOptions = {
  config: {
    ...text,
    describe: 'A JSON file (default: that of the workflow); ${NAME} stands for an environment variable',
  },
  set: {
    ...text,
    array: true,
    describe: 'Override a config key: key=value, or a.b=value; a value that is JSON is parsed. Repeatable',
  },
} satisfies Record<string, Options>;

export const runsOptions = {
  runs: { ...text, describe: `Where runs are kept (default: ${DEFAULT_RUNS_FOLDER})` },
} satisfies Record<string, Options>;

/** Options of commands that load a kept run again: the values that were not kept. */
export const secretOptions = {
  set: {
    ...text,
    array: true,
    describe: 'A setting of the run again, key=value, if its value is a secret, which is not kept. Repeatable',
  },
} satisfies Record<string, Options>;

export const debugOptions = {
  debug: { type: 'boolean', describe: 'Show stack traces' },
} satisfies Record<string, Options>;

/** The folder of runs that the arguments select. */
export function runsFrom(args: Arguments): string {
  return args.text('runs') ?? DEFAULT_RUNS_FOLDER;
}

/**
 * The workflow and the configuration that the arguments name. Throws MILLRACE_USAGE if they name no workflow and the
 * folder has none, or several.
 */
export async function requestFrom(args: Arguments, place: JobPlace): Promise<JobRequest> {
  return {
    workflow: workflowNamed(args) ?? (await onlyWorkflow(place)),
    config: args.text('config') ?? null,
    settings: args.texts('set'),
    deadLetters: null,
  };
}

/**
 * The workflow given by `--workflow` or as a word after the command; undefined if none was given. Throws MILLRACE_USAGE
 * if the two differ.
 */
export function workflowNamed(args: Arguments): string | undefined {
  const [word, option] = [args.word(workflowWord.name), args.text('workflow')];
  if (word === '') return option;
  if (option === undefined || option === word) return word;
  throw new MillraceError(
    'MILLRACE_USAGE',
    `Expected one workflow, got '${word}' and --workflow '${option}'. Remove one of them`,
  );
}

/** The name of the only workflow in the folder of workflows. Throws if there are several: a guess could be wrong. */
async function onlyWorkflow(place: JobPlace): Promise<string> {
  const { findOwnWorkflows } = await import('../jobs/workflows/load-workflow.js');
  const { names, broken } = await findOwnWorkflows(place);
  const [only, another] = names;
  if (only !== undefined && another === undefined && broken.length === 0) return only;
  const unloaded = broken.map((error) => ` ${describeThrown(error)}.`).join('');
  const there = names.length === 0 ? 'has none' : `has ${names.map((name) => `'${name}'`).join(', ')}`;
  throw new MillraceError(
    'MILLRACE_USAGE',
    `Expected a workflow after the command, got none, and the folder workflows ${there}.${unloaded} Write its name or its file there; \`list\` lists the names`,
  );
}

/** Loads the workflow and its configuration. Throws the errors of `loadJob`. */
export async function loadFrom(args: Arguments, context: CommandContext): Promise<LoadedJob> {
  // Imported when a command needs it, so that --help and a mistyped option answer at once.
  const { loadJob } = await import('../jobs/load-job.js');
  const place = here(context);
  return loadJob(await requestFrom(args, place), place);
}
