/** `logs`: prints the output of a process of a run of a server. */
import { debugOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { serverFrom, serverOptions } from './server-client.js';

export const logsCommand: Command = {
  name: 'logs',
  description: 'Print what the last process of a run of a server (`serve`) has printed: the last 64 kB, or all of it',
  words: [{ name: 'run', describe: 'The id of the run' }],
  options: {
    ...serverOptions,
    all: { type: 'boolean', describe: 'Print the whole output' },
    process: {
      type: 'string',
      requiresArg: true,
      describe: 'Print the output of this process of the run, counted from 1 (default: the last one)',
    },
    ...debugOptions,
  },
  run: async (args) => {
    const number = args.wholeNumber('process', 1);
    const { runs } = await serverFrom(args);
    const run = args.word('run');
    let last = '';
    const print = (text: string): void => {
      process.stdout.write(text);
      last = text === '' ? last : text;
    };
    if (args.flag('all')) {
      let [at, size] = [0, 1];
      while (at < size) {
        const part = await runs.output(run, { process: number, after: at });
        print(part.text);
        // A file that was emptied meanwhile has no further part.
        if (part.to <= at) break;
        [at, size] = [part.to, part.size];
      }
    } else print((await runs.output(run, { process: number })).text);
    if (last !== '' && !last.endsWith('\n')) process.stdout.write('\n');
    return EXIT.success;
  },
};
