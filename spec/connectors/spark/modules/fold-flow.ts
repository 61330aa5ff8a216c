/** A workflow that folds on Spark and writes a file, made to be killed. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow } from 'millrace';
import { csvSink } from 'millrace/csv';
import { onSpark } from 'millrace/spark';
import { z } from 'zod';
import { shopTotals, type ShopTotal } from './spark-work.js';

const Config = z.strictObject({ remote: z.string(), shops: z.coerce.number() });

export const FoldFlow = defineWorkflow({
  name: 'FoldFlow',
  config: Config,
  build: (flow, { remote, shops }) => {
    let totals = 0;
    return flow
      .task(
        'Totals',
        onSpark(shopTotals, {
          remote,
          node: process.execPath,
          sql: 'SELECT concat("shop ", id % :shops) AS shop, CAST(id AS DOUBLE) + 0.5D AS amount, id FROM range(20000)',
          args: { shops },
          key: 'shop',
          orderBy: ['id'],
        }),
      )
      .task(
        'Work',
        ['Totals'],
        asyncTask(
          async (total: ShopTotal) => {
            await sleep(20);
            // The last third waits for as long as there is a file `hold`.
            const isLast = ++totals > (shops * 2) / 3;
            while (isLast && existsSync('hold')) await sleep(20);
            return total;
          },
          { concurrency: 8 },
        ),
      )
      .task('Result', ['Work'], csvSink({ path: 'totals.csv', columns: ['shop', 'count', 'sum'] }));
  },
});
