/** Reads a topic through `kafkaSource`, in a run without other work. */
import { defineWorkflow, sinkTask } from 'millrace';
import { kafkaSource } from 'millrace/kafka';
import { cluster, filledTopic } from '../kafka-work.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => {
  const topic = await filledTopic(records);
  let sum = 0;
  const Read = defineWorkflow({
    name: 'Read',
    build: (flow) =>
      flow.task('In', kafkaSource<{ n: number }>({ cluster: cluster(), topic, until: 'end' })).task(
        'Sum',
        ['In'],
        sinkTask(({ n }: { n: number }) => {
          sum += n;
        }),
      ),
  });
  await Read.run().finished;
  return sum;
};
