/** `trigger`: asks a server for a run. */
import { MillraceError } from '../model/errors.js';
import { debugOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { segment, serverFrom, serverOptions } from './server-client.js';

export const triggerCommand: Command = {
  name: 'trigger',
  description: 'Ask a server (`serve`) for a run, and print its id',
  words: [{ name: 'workflow-name', describe: 'The name of the workflow' }],
  options: {
    ...serverOptions,
    set: {
      type: 'string',
      requiresArg: true,
      array: true,
      describe: 'Set one of the `params` of the workflow: key=value; a value that is JSON is parsed. Repeatable',
    },
    'request-key': {
      type: 'string',
      requiresArg: true,
      describe: 'Asking again under the same key gives the same run (default: a new run)',
    },
    ...debugOptions,
  },
  run: async (args) => {
    const { parseSetting } = await import('../jobs/config/settings.js');
    const settings = args.texts('set').map((given) => {
      const { path, value } = parseSetting(given);
      const [key, ...deeper] = path;
      if (key !== undefined && deeper.length === 0) return [key, value] as const;
      throw new MillraceError(
        'MILLRACE_USAGE',
        `Expected --set to name a param, got '${path.join('.')}'. Set it as a whole, as JSON`,
      );
    });
    const requestKey = args.text('request-key');
    const { id } = await serverFrom(args).post<{ readonly id: string }>(
      `/workflows/${segment(args.word('workflow-name'))}/runs`,
      { settings: Object.fromEntries(settings), ...(requestKey === undefined ? {} : { requestKey }) },
    );
    process.stdout.write(`${id}\n`);
    return EXIT.success;
  },
};
