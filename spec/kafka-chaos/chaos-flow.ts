/** The workflow of the chaos: a topic, a cut, slow work of which some records fail, a running sum per key, a topic. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow, repartition, statefulTask } from 'millrace';
import { kafka, kafkaSink, kafkaSource } from 'millrace/kafka';
import { z } from 'zod';

export interface Item {
  readonly k: string;
  readonly n: number;
}

/** Whether a record ends as a dead letter. */
export const isBad = (n: number): boolean => n % 97 === 3;

export const ChaosFlow = defineWorkflow({
  name: 'ChaosFlow',
  window: 256,
  config: z.object({
    ...{ brokers: z.array(z.string()), from: z.string(), to: z.string(), workMs: z.number() },
    /** Whether the output is written in transactions of its own, beside those of the lanes. */
    hasOwn: z.boolean(),
    /** A file with a number, if it is given: the records from this one on wait until the number is higher. */
    gate: z.string().default(''),
  }),
  build: (flow, { brokers, from, to, workMs, hasOwn, gate }) => {
    const cluster = kafka({ brokers });
    const isHeld = (n: number): boolean => gate !== '' && n >= Number(readFileSync(gate, 'utf8'));
    return flow
      .task('In', kafkaSource<Item>({ cluster, topic: from, until: 'end' }))
      .task(
        'Spread',
        ['In'],
        repartition(({ k }: Item) => k),
      )
      .task(
        'Work',
        ['Spread'],
        asyncTask(
          async (item: Item) => {
            while (isHeld(item.n)) await sleep(20);
            await sleep((item.n % 5) * workMs);
            if (isBad(item.n)) throw new Error('no good');
            return item;
          },
          { concurrency: 16 },
        ),
      )
      .task(
        'Running',
        ['Work'],
        statefulTask({
          key: ({ k }: Item) => k,
          init: () => 0,
          step: (sum: number, { k, n }) => [sum + n, { k, n, sum: sum + n }] as const,
        }),
      )
      .task(
        'Out',
        ['Running'],
        kafkaSink({
          ...{ cluster, topic: to, key: ({ k }: { k: string }) => k },
          ...(hasOwn && { transactionTimeoutMs: 60_000 }),
        }),
      );
  },
});
