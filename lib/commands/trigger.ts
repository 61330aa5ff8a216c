/** `trigger`: asks a server for a run. */
import { debugOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { paramsFrom, serverFrom, serverOptions } from './server-client.js';

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
    const [settings, requestKey] = [await paramsFrom(args), args.text('request-key')];
    const { id } = await (await serverFrom(args)).runs.start(args.word('workflow-name'), { settings, requestKey });
    process.stdout.write(`${id}\n`);
    return EXIT.success;
  },
};
