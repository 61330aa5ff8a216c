/**
 * A workflow whose tasks fail for some records until they are repaired: letters in front of a cut, between two cuts, and
 * in front of an aggregate.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { aggregateTask, asyncTask, defineWorkflow, repartition, sourceTask, syncTask } from 'millrace';
import { csvSink } from 'millrace/csv';
import { kafka, kafkaSink } from 'millrace/kafka';
import { z } from 'zod';

export interface Item {
  readonly k: string;
  readonly n: number;
}

const KEYS = 11;

/** The tasks that fail, with the remainders by 20 of the numbers of the records for which they do. */
export const FAULTS = { Parse: 3, Work: 7, Late: 9, Check: 13 } as const;

/** The numbers of the records for which the task fails. */
export function failingAt(task: keyof typeof FAULTS, items: number): number[] {
  return [...new Array<undefined>(items).keys()].filter((n) => n % 20 === FAULTS[task]);
}

export const ReplayFlow = defineWorkflow({
  name: 'ReplayFlow',
  config: z.object({
    /** A file with the name of a task, in this folder, repairs the task. */
    folder: z.string(),
    items: z.number().default(200),
    /** The number of a record on which the work waits for as long as there is a file `hold` in the folder. */
    held: z.number().default(-1),
    /** The broker and topic of the first output; without them it is a file. */
    broker: z.string().default(''),
    topic: z.string().default(''),
    window: z.number().default(256),
  }),
  window: ({ window }) => window,
  build: (flow, { folder, items, held, broker, topic }) => {
    const assertRepaired = (task: keyof typeof FAULTS, { n }: Item): void => {
      if (n % 20 === FAULTS[task] && !existsSync(join(folder, task))) throw new Error(`${task} is broken`);
    };
    const columns = ['k', 'n'] as const;
    return (
      flow
        .task('In', sourceTask([...new Array<undefined>(items).keys()].map((n) => ({ k: `k${n % KEYS}`, n }))))
        .task(
          'Parse',
          ['In'],
          syncTask((item: Item) => {
            assertRepaired('Parse', item);
            return item;
          }),
        )
        .task('Parsed', ['Parse'], csvSink({ path: join(folder, 'parsed.csv'), columns }))
        // Makes each lane of the source read all records again.
        .task(
          'Total',
          ['In'],
          aggregateTask({ init: () => 0, add: (total, { n }: Item) => total + n, finish: (total) => ({ total }) }),
        )
        .task('Totals', ['Total'], csvSink({ path: join(folder, 'total.csv'), columns: ['total'] }))
        .task(
          'Spread',
          ['Parse'],
          repartition(({ k }: Item) => k),
        )
        .task(
          'Work',
          ['Spread'],
          asyncTask(async (item: Item) => {
            assertRepaired('Work', item);
            while (item.n === held && existsSync(join(folder, 'hold'))) await sleep(20);
            return item;
          }),
        )
        .task(
          'Out',
          ['Work'],
          topic === ''
            ? csvSink({ path: join(folder, 'out.csv'), columns })
            : kafkaSink({ cluster: kafka({ brokers: [broker] }), topic, key: ({ k }: Item) => k }),
        )
        .task(
          'Again',
          ['Work'],
          repartition(({ n }: Item) => n % 5),
        )
        .task(
          'Late',
          ['Again'],
          syncTask((item: Item) => {
            assertRepaired('Late', item);
            return item;
          }),
        )
        .task('Rows', ['Late'], csvSink({ path: join(folder, 'rows.csv'), columns }))
        .task(
          'Check',
          ['In'],
          syncTask((item: Item) => {
            assertRepaired('Check', item);
            return item;
          }),
        )
        .task(
          'Count',
          ['Check'],
          aggregateTask({
            key: ({ k }: Item) => k,
            init: () => 0,
            add: (count, _: Item) => count + 1,
            finish: (count, k) => ({ k, count }),
          }),
        )
        .task('Counts', ['Count'], csvSink({ path: join(folder, 'counts.csv'), columns: ['k', 'count'] }))
    );
  },
});
