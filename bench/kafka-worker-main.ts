/** A worker process of `kafka-workers`. Arguments: the id of the run, the number of records. */
import { startWorker } from 'millrace/lanes';
import { LanesFlow } from './kafka-lanes-flow.js';
import { cluster } from './kafka-work.js';

const [runId = '', records = '0'] = process.argv.slice(2);
await startWorker({
  ...{ workflow: LanesFlow.prepare({ records: Number(records) }), cluster: cluster(), runId, partitions: 4 },
}).finished;
