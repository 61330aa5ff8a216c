/** `completion`: a script that completes commands, options, workflows and runs in a shell. */
import { basename } from 'node:path';
import { debugOptions, type Command } from './command.js';
import { COMPLETION_SCRIPTS, SHELLS } from './completion-scripts.js';
import { EXIT } from './exit-codes.js';
import { MillraceError } from '../model/errors.js';

export const completionCommand: Command = {
  name: 'completion',
  description: 'Print a completion script for a shell: source <(millrace completion bash)',
  words: [{ name: 'shell', describe: `${SHELLS.join(', ')} (default: from the variable SHELL)`, isOptional: true }],
  options: { ...debugOptions },
  run: (args) => {
    const shell = args.wordOf('shell', SHELLS) ?? SHELLS.find((one) => one === basename(process.env['SHELL'] ?? ''));
    if (shell === undefined) {
      throw new MillraceError(
        'MILLRACE_USAGE',
        `Expected ${SHELLS.join(', ')} after completion, got nothing, and the variable SHELL names none of them. Write completion bash`,
      );
    }
    process.stdout.write(COMPLETION_SCRIPTS[shell]);
    return Promise.resolve(EXIT.success);
  },
};
