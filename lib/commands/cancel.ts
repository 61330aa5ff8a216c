/** `cancel`: asks a server to stop a run. */
import { debugOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { segment, serverFrom, serverOptions } from './server-client.js';

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
    const how = args.flag('drain') ? 'drain' : 'cancel';
    await serverFrom(args).post(`/runs/${segment(args.word('run'))}/stop`, { how });
    process.stderr.write(`Run ${args.word('run')} was asked to ${how === 'drain' ? 'drain' : 'stop'}\n`);
    return EXIT.success;
  },
};
