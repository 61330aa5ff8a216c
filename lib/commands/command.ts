/** What one command of the command line is, and the options that several share. */
import type { Options } from 'yargs';
import { MillraceError } from '../model/errors.js';
import type { Arguments } from './arguments.js';
import type { ExitCode } from './exit-codes.js';
import type { JsonObject } from './strict-json.js';
import type { LoadableWorkflow } from './load-workflow.js';

/**
 * Contract: `run` prints its result on standard output, everything else on standard error, and resolves with the exit
 * code. What it throws is wrong usage or a wrong configuration: it is told in one sentence, and nothing was run.
 */
export interface Command {
  /** As typed; the first command of the list is the default one. */
  readonly name: string;
  readonly description: string;
  /** What stands behind the name, in order: required ones first. */
  readonly words?: readonly CommandWord[];
  readonly options: Readonly<Record<string, Options>>;
  run(args: Arguments, context: CommandContext): Promise<ExitCode>;
}

export interface CommandWord {
  readonly name: string;
  readonly describe: string;
  readonly isOptional?: boolean;
}

/** What a command may know of the process around it. */
export interface CommandContext {
  /** Aborts when nobody reads standard output any more. */
  readonly outputClosed: AbortSignal;
}

const text = { type: 'string', requiresArg: true } as const;

export const DEFAULT_WORKFLOW = 'OfferWorkFlow';

/** The workflow as a word behind the command, for those who need not write `--workflow`. */
export const workflowWord = {
  name: 'name-or-file',
  describe: 'The workflow, as for --workflow',
  isOptional: true,
} as const satisfies CommandWord;

export const workflowOptions = {
  workflow: { ...text, describe: `A registered name, ./file.js, or ./file.js#Name (default: ${DEFAULT_WORKFLOW})` },
} satisfies Record<string, Options>;

export const configOptions = {
  config: {
    ...text,
    describe: 'A JSON file (default: the one of the workflow); ${NAME} takes an environment variable',
  },
  set: {
    ...text,
    array: true,
    describe: 'key=value over the config, also a.b=value; a value that is JSON is taken as JSON. Repeat it for more',
  },
} satisfies Record<string, Options>;

/** Where runs are kept, unless told otherwise. */
export const DEFAULT_RUNS_FOLDER = '.millrace/runs';

export const runsOptions = {
  runs: { ...text, describe: `Where runs are kept (default: ${DEFAULT_RUNS_FOLDER})` },
} satisfies Record<string, Options>;

export const debugOptions = {
  debug: { type: 'boolean', describe: 'Show stack traces' },
} satisfies Record<string, Options>;

/** Which workflow with which configuration was asked for, as it was typed. Plain data. */
export interface WorkflowRequest {
  readonly workflow: string;
  /** The path of the configuration; null for the workflow's own. */
  readonly config: string | null;
  /** Every `--set`, in order. */
  readonly settings: readonly string[];
}

export interface Loaded {
  readonly workflow: LoadableWorkflow;
  readonly config: JsonObject | undefined;
}

export function requestFrom(args: Arguments): WorkflowRequest {
  return {
    workflow: workflowNamed(args) ?? DEFAULT_WORKFLOW,
    config: args.text('config') ?? null,
    settings: args.texts('set'),
  };
}

/**
 * The workflow that was asked for, by `--workflow` or as a word behind the command; undefined where none was. Throws
 * MILLRACE_USAGE where the two differ.
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

/** The workflow and its configuration. Throws what is wrong with either. */
export async function load({ workflow: name, config: path, settings }: WorkflowRequest): Promise<Loaded> {
  // Loaded when a command needs them, so that --help and a mistyped option answer at once.
  const [{ loadWorkflow }, { loadConfig }] = await Promise.all([
    import('./load-workflow.js'),
    import('./load-config.js'),
  ]);
  const workflow = await loadWorkflow(name);
  const config = await loadConfig(workflow, { path: path ?? undefined, settings });
  return { workflow, config };
}

/** The workflow and its configuration, as most commands need them. */
export function loadFrom(args: Arguments): Promise<Loaded> {
  return load(requestFrom(args));
}
