/** `backup`: asks a server to copy its store. */
import { debugOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { serverFrom, serverOptions } from './server-client.js';

export const backupCommand: Command = {
  name: 'backup',
  description: 'Ask a server (`serve`) to copy its store, and print the path of the copy',
  options: { ...serverOptions, ...debugOptions },
  run: async (args) => {
    process.stdout.write(`${await (await serverFrom(args)).backup()}\n`);
    return EXIT.success;
  },
};
