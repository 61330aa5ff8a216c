/** The workflow of the specs that do something to workers or topics: a topic, a cut, work, a topic. */
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow, repartition } from 'millrace';
import { json, kafka, kafkaSink, kafkaSource } from 'millrace/kafka';
import { z } from 'zod';

const Item = z.object({ k: z.string(), n: z.number() });
export type Item = z.infer<typeof Item>;

/** The record whose work takes longer than the session of a worker, if `slowMs` or `loop` are given. */
export const LONGEST = 5;

/** The calls of the workers of this process, by record. */
export const calls = new Map<number, number>();

export const FaultFlow = defineWorkflow({
  name: 'FaultFlow',
  window: 64,
  config: z.object({
    broker: z.string(),
    from: z.string(),
    to: z.string(),
    /** How long the work on a record takes. */
    workMs: z.number(),
    /** How long the work on the longest record takes. */
    slowMs: z.number().default(0),
    /** The first worker that has the longest record blocks its process for `slowMs`, and writes its id to this file. */
    loop: z.string().default(''),
    /** Whether the output is written in transactions of its own, beside those of the lanes. */
    hasOwn: z.boolean().default(false),
  }),
  build: (flow, { broker, from, to, workMs, slowMs, loop, hasOwn }) => {
    const cluster = kafka({ brokers: [broker] });
    return flow
      .task('In', kafkaSource<Item>({ cluster, topic: from, until: 'end', value: json(Item) }))
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
            calls.set(item.n, (calls.get(item.n) ?? 0) + 1);
            const isLongest = item.n === LONGEST;
            if (isLongest && loop !== '' && !existsSync(loop)) {
              writeFileSync(loop, String(process.pid));
              const until = performance.now() + slowMs;
              while (performance.now() < until);
            }
            await sleep(isLongest && loop === '' && slowMs > 0 ? slowMs : workMs);
            if (item.n < 0) throw new Error('no good');
            return item;
          },
          { concurrency: 4 },
        ),
      )
      .task(
        'Out',
        ['Work'],
        kafkaSink({ cluster, topic: to, key: ({ k }: Item) => k, ...(hasOwn && { transactionTimeoutMs: 60_000 }) }),
      );
  },
});
