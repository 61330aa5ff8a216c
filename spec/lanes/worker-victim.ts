/**
 * A worker that a spec may kill at any moment. Arguments: broker, id of the run, module and export of the workflow, its
 * configuration as JSON, partitions. Prints `over` when the run has completed.
 */
import { kafka } from 'millrace/kafka';
import { startWorker } from 'millrace/lanes';
import type { Workflow } from 'millrace';

const [broker = '', runId = '', module = '', name = '', config = '', partitions = '12'] = process.argv.slice(2);
const { [name]: workflow } = (await import(module)) as Record<string, Workflow>;
const worker = startWorker({
  workflow: (workflow as Workflow).prepare(config === '' ? undefined : JSON.parse(config)),
  cluster: kafka({ brokers: broker.split(',') }),
  runId,
  partitions: Number(partitions),
  onEvent: ({ type, stage, partition, error }) => {
    if (type !== 'event')
      process.stderr.write(`${type} ${stage} ${partition} ${error instanceof Error ? error.message : ''}\n`);
  },
});
process.once('SIGTERM', () => {
  worker.stop();
});
const { outcome } = await worker.finished;
if (outcome === 'completed') process.stdout.write('over\n');
