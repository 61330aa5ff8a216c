/** `lag`: the records that the workers of a run that Kafka carries have not processed yet. */
import { configOptions, debugOptions, workflowOptions, workflowWord, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { loadSpread, spreadOptions } from './spread-options.js';
import { renderTable } from './table.js';
import { grouped, oneLine } from '../text/printable.js';

/** A person waits for the answer. */
const MOST_WAIT_MS = 5000;

export const lagCommand: Command = {
  name: 'lag',
  description: 'Show how far the workers of a run that Kafka carries are behind',
  words: [workflowWord],
  options: { ...workflowOptions, ...configOptions, ...spreadOptions, ...debugOptions },
  run: async (args, context) => {
    const { options } = await loadSpread(args, context);
    const [{ lagOf }, { kafka }] = await Promise.all([
      import('../lanes/index.js'),
      import('../connectors/kafka/index.js'),
    ]);
    const { timeoutMs, ...cluster } = options.cluster.options;
    const impatient = { ...options, cluster: kafka({ ...cluster, timeoutMs: Math.min(timeoutMs, MOST_WAIT_MS) }) };
    const lags = await lagOf(impatient, (message) => {
      process.stderr.write(`${oneLine(context.secrets.text(message))}\n`);
    });
    const rows = lags.map(({ stage, lanes, completed, records }) => [
      stage,
      `${completed} of ${lanes}`,
      records === undefined ? '' : grouped(records),
    ]);
    const columns = [
      { title: 'stage' },
      { title: 'lanes completed' },
      { title: 'records behind', align: 'right' },
    ] as const;
    for (const line of renderTable(columns, rows, process.stdout.isTTY ? process.stdout.columns : Infinity))
      process.stdout.write(`${line}\n`);
    return EXIT.success;
  },
};
