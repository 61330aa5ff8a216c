/** Writes records through `kafkaSink`, at least once. */
import { defineWorkflow, sourceTask } from 'millrace';
import { kafkaSink } from 'millrace/kafka';
import { cluster, newTopic, sumTo, valueOf } from '../kafka-work.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => {
  const topic = await newTopic();
  const Write = defineWorkflow({
    name: 'Write',
    build: (flow) =>
      flow
        .task('In', sourceTask([...new Array<undefined>(records).keys()].map(valueOf)))
        .task('Out', ['In'], kafkaSink({ cluster: cluster(), topic, guarantee: 'at-least-once' })),
  });
  const { tasks } = await Write.run().finished;
  return sumTo(tasks['Out']?.out ?? 0);
};
