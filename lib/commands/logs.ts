/** `logs`: prints the output of the last process of a run of a server. */
import { debugOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { serverFrom, serverOptions } from './server-client.js';

export const logsCommand: Command = {
  name: 'logs',
  description: 'Print the end of what the last process of a run of a server (`serve`) has printed, at most 64 kB',
  words: [{ name: 'run', describe: 'The id of the run' }],
  options: { ...serverOptions, ...debugOptions },
  run: async (args) => {
    const { text } = await (await serverFrom(args)).runs.output(args.word('run'));
    process.stdout.write(text === '' || text.endsWith('\n') ? text : `${text}\n`);
    return EXIT.success;
  },
};
