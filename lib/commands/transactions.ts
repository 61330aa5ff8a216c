/**
 * `transactions list|abort`: the open transactions of a cluster. An open transaction hides all later records of its
 * partitions from readers of committed data.
 */
import { MillraceError } from '../model/errors.js';
import { counted, printable } from '../text/printable.js';
import { debugOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { clusterOf, kafkaOptions } from './spread-options.js';

const ACTIONS = ['list', 'abort'] as const;
const DEFAULT_PREFIX = 'millrace';

export const transactionsCommand: Command = {
  name: 'transactions',
  description: 'List or abort the open transactions of a Kafka cluster',
  words: [
    { name: 'action', describe: 'list prints the open ones; abort ends them and fences their writers' },
    {
      name: 'prefix',
      describe: `A prefix of their transactional ids (default for list: ${DEFAULT_PREFIX})`,
      isOptional: true,
    },
  ],
  options: { ...kafkaOptions, ...debugOptions },
  run: async (args, context) => {
    const action = args.wordOf('action', ACTIONS);
    const prefix = args.word('prefix');
    if (action === undefined || (action === 'abort' && prefix === '')) {
      throw new MillraceError(
        'MILLRACE_USAGE',
        'Expected list, or abort with a prefix of transactional ids, such as millrace.Offers.monday',
      );
    }
    const cluster = await clusterOf(args, context);
    const { abortTransactions, openTransactions } = await import('../lanes/index.js');
    const ids =
      action === 'list'
        ? await openTransactions(cluster, prefix === '' ? DEFAULT_PREFIX : prefix)
        : await abortTransactions(cluster, prefix);
    for (const id of ids) process.stdout.write(`${printable(id)}\n`);
    process.stderr.write(`${counted(ids.length, 'transaction')} ${action === 'list' ? 'open' : 'aborted'}\n`);
    return EXIT.success;
  },
};
