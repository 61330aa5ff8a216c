/** What one command of the command line is, and the options that several share. */
import type { Options } from 'yargs';
import type { Arguments } from './arguments.js';
import type { ExitCode } from './exit-codes.js';
import { here } from './here.js';
import type { JobRequest, LoadedJob } from '../jobs/load-job.js';
import { DEFAULT_RUNS_FOLDER } from '../jobs/place.js';

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
  transport: { ...text, describe: 'http or ws: short for --set transport=…' },
} satisfies Record<string, Options>;

export const runsOptions = {
  runs: { ...text, describe: `Where runs are kept (default: ${DEFAULT_RUNS_FOLDER})` },
} satisfies Record<string, Options>;

export const debugOptions = {
  debug: { type: 'boolean', describe: 'Show stack traces' },
} satisfies Record<string, Options>;

/** The folder of runs that is meant. */
export function runsFrom(args: Arguments): string {
  return args.text('runs') ?? DEFAULT_RUNS_FOLDER;
}

/** Which workflow with which configuration is meant. */
export function requestFrom(args: Arguments): JobRequest {
  const transport = args.oneOf('transport', ['http', 'ws']);
  return {
    workflow: args.text('workflow') ?? DEFAULT_WORKFLOW,
    config: args.text('config') ?? null,
    settings: [...args.texts('set'), ...(transport === undefined ? [] : [`transport=${transport}`])],
    deadLetters: null,
  };
}

/** The workflow and its configuration. Throws what is wrong with either. */
export async function loadFrom(args: Arguments): Promise<LoadedJob> {
  // Loaded when a command needs it, so that --help and a mistyped option answer at once.
  const { loadJob } = await import('../jobs/load-job.js');
  return loadJob(requestFrom(args), here());
}
