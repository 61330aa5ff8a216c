/** A run that writes more than fits into its window, for specs in which the brokers accept nothing for a while. */
import { defineWorkflow, sourceTask, type Run } from 'millrace';
import { kafkaSink, type KafkaCluster } from '#lib/connectors/kafka/index.js';

export const SLOW_RECORDS = 4000;
export const SLOW_WINDOW = 64;

export interface SlowWriting {
  readonly run: () => Run;
  /** The number of records that the source was asked for. */
  readonly given: () => number;
}

export function writingSlowly(cluster: KafkaCluster, topic: string): SlowWriting {
  let given = 0;
  const Write = defineWorkflow({
    name: 'Write',
    window: SLOW_WINDOW,
    build: (flow) =>
      flow
        .task(
          'Items',
          sourceTask(function* () {
            for (let n = 0; n < SLOW_RECORDS; n++) {
              given = n + 1;
              yield { id: `k${n}`, n, filling: 'x'.repeat(100) };
            }
          }),
        )
        .task('Out', ['Items'], kafkaSink({ cluster, topic, guarantee: 'at-least-once' })),
  });
  return { run: () => Write.run(), given: () => given };
}
