/** What one command of the command line is, and the options that several share. */
import type { Options } from 'yargs';
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
  readonly options: Readonly<Record<string, Options>>;
  run(args: Arguments, context: CommandContext): Promise<ExitCode>;
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

export const debugOptions = {
  debug: { type: 'boolean', describe: 'Show stack traces' },
} satisfies Record<string, Options>;

/** The workflow and its configuration, as most commands need them. Throws what is wrong with either. */
export async function loadFrom(
  args: Arguments,
): Promise<{ workflow: LoadableWorkflow; config: JsonObject | undefined }> {
  // Loaded when a command needs them, so that --help and a mistyped option answer at once.
  const [{ loadWorkflow }, { loadConfig }] = await Promise.all([
    import('./load-workflow.js'),
    import('./load-config.js'),
  ]);
  const workflow = await loadWorkflow(args.text('workflow') ?? DEFAULT_WORKFLOW);
  const transport = args.oneOf('transport', ['http', 'ws']);
  const settings = [...args.texts('set'), ...(transport === undefined ? [] : [`transport=${transport}`])];
  const config = await loadConfig(workflow, { path: args.text('config'), settings });
  return { workflow, config };
}
