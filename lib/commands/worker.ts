/** `worker`: works on a run that is spread over several processes, together with the other workers of the run. */
import { configOptions, debugOptions, workflowOptions, workflowWord, type Command } from './command.js';
import { loadSpread, spreadOptions, stallOptions, workerCountOptions } from './spread-options.js';

const value = { type: 'string', requiresArg: true } as const;

export const workerCommand: Command = {
  name: 'worker',
  description: 'Work on a run that Kafka spreads over several processes',
  words: [workflowWord],
  options: {
    ...workflowOptions,
    ...configOptions,
    ...spreadOptions,
    ...workerCountOptions,
    ...stallOptions,
    grace: {
      ...value,
      describe: 'The seconds in which records in flight may end when lanes are given up (default: 30)',
    },
    quiet: { type: 'boolean', describe: 'Print nothing but errors' },
    ...debugOptions,
  },
  run: async (args, context) => {
    const workers = args.wholeNumber('workers', 1, 256) ?? 1;
    const spread = await loadSpread(args, context);
    const { work } = await import('./work.js');
    return work({ ...spread, args, context }, workers);
  },
};
