/** `cancel`: asks a server to stop a run. */
import { debugOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { serverFrom, serverOptions } from './server-client.js';

export const cancelCommand: Command = {
  name: 'cancel',
  description: 'Ask a server (`serve`) to stop a run; `resume --server` continues it',
  words: [{ name: 'run', describe: 'The id of the run' }],
  options: {
    ...serverOptions,
    drain: { type: 'boolean', describe: 'Stop its sources, and let what has started end' },
    ...debugOptions,
  },
  run: async (args) => {
    const { runs } = await serverFrom(args);
    const isDrain = args.flag('drain');
    await runs[isDrain ? 'drain' : 'cancel'](args.word('run'));
    process.stderr.write(`Run ${args.word('run')} was asked to ${isDrain ? 'drain' : 'stop'}\n`);
    return EXIT.success;
  },
};
