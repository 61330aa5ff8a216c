/** A workflow with each kind of edge, for specs: the same results are expected of one process and of many. */
import { aggregateTask, asyncTask, defineWorkflow, repartition, sourceTask, statefulTask, syncTask } from 'millrace';
import { csvSink } from 'millrace/csv';
import { kafka, kafkaSink } from 'millrace/kafka';
import { z } from 'zod';

interface Item {
  readonly k: string;
  readonly n: number;
}

export const RECORDS = 600;
const KEYS = 20;

/** Whether a record ends as a dead letter. */
export const isBad = (n: number): boolean => n % 50 === 7;

export const LaneFlow = defineWorkflow({
  name: 'LaneFlow',
  config: z.object({ broker: z.string(), running: z.string(), out: z.string() }),
  build: (flow, { broker, running, out }) =>
    flow
      .task('In', sourceTask([...new Array<undefined>(RECORDS).keys()].map((n) => ({ k: `k${n % KEYS}`, n }))))
      .task(
        'Spread',
        ['In'],
        repartition(({ k }: Item) => k),
      )
      .task(
        'Ask',
        ['Spread'],
        asyncTask((item: Item) => {
          if (isBad(item.n)) throw new Error('no good');
          return Promise.resolve(item);
        }),
      )
      .task(
        'Running',
        ['Ask'],
        statefulTask({
          key: ({ k }: Item) => k,
          init: () => 0,
          step: (sum: number, { k, n }) => [sum + n, { k, n, sum: sum + n }] as const,
        }),
      )
      .task(
        'Topic',
        ['Running'],
        kafkaSink({ cluster: kafka({ brokers: [broker] }), topic: running, key: ({ k }: { k: string }) => k }),
      )
      .task(
        'Most',
        ['Running'],
        aggregateTask({
          key: ({ k }: { readonly k: string }) => k,
          init: () => 0,
          add: (most, { sum }: { readonly k: string; readonly sum: number }) => Math.max(most, sum),
          finish: (most, k) => ({ k, most }),
        }),
      )
      .task(
        'Count',
        ['Ask'],
        aggregateTask({
          key: ({ k }: Item) => k,
          init: () => 0,
          add: (count, _: Item) => count + 1,
          finish: (count, k) => ({ k, count }),
        }),
      )
      .task(
        'Pair',
        ['Most', 'Count'],
        {
          join: 'keyed',
          kind: 'inner',
          on: [({ k }: { readonly k: string }) => k, ({ k }: { readonly k: string }) => k],
        },
        syncTask(([{ k, most }, { count }]) => ({ k, most, count })),
      )
      .task('Out', ['Pair'], csvSink({ path: out, columns: ['k', 'most', 'count'] })),
});
