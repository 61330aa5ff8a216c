/** From a topic to a topic, with checkpoints, by either guarantee. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineWorkflow, syncTask } from 'millrace';
import { kafkaSink, kafkaSource, type KafkaSinkOptions } from 'millrace/kafka';
import { checkpointFile } from 'millrace/storage';
import { cluster, filledTopic, newTopic, sumTo } from './kafka-work.js';

interface Item {
  readonly n: number;
}

export async function pipe(records: number, guarantee: KafkaSinkOptions<Item>['guarantee'] & string): Promise<number> {
  const [from, to] = [await filledTopic(records), await newTopic()];
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-kafka-'));
  const Pipe = defineWorkflow({
    name: 'Pipe',
    build: (flow) =>
      flow
        .task('In', kafkaSource<Item>({ cluster: cluster(), topic: from, until: 'end' }))
        .task(
          'Work',
          ['In'],
          syncTask((item: Item) => item),
        )
        .task('Out', ['Work'], kafkaSink<Item>({ cluster: cluster(), topic: to, guarantee })),
  });
  try {
    const checkpoints = checkpointFile(join(folder, 'checkpoint.json'));
    const { tasks } = await Pipe.run(undefined, { checkpoints, checkpointEvery: { everyMs: 100 } }).finished;
    return sumTo(tasks['Out']?.out ?? 0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
