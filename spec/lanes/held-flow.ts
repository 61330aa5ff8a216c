/** A workflow whose records wait for the file `go`, for specs that end workers meanwhile. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow, repartition, sinkTask, sourceTask } from 'millrace';
import { z } from 'zod';

export const HELD_RECORDS = 40;

export const HeldFlow = defineWorkflow({
  name: 'HeldFlow',
  config: z.object({ folder: z.string() }),
  build: (flow, { folder }) =>
    flow
      .task('In', sourceTask([...new Array<undefined>(HELD_RECORDS).keys()]))
      .task(
        'Spread',
        ['In'],
        repartition((n: number) => n),
      )
      .task(
        'Held',
        ['Spread'],
        asyncTask(async (n: number) => {
          // The process that has records, so that a spec can end it.
          writeFileSync(join(folder, `pid-${process.pid}`), '');
          while (!existsSync(join(folder, 'go'))) await sleep(20);
          if (n === 3) throw new Error('no good');
          return n;
        }),
      )
      .task(
        'Out',
        ['Held'],
        sinkTask(() => undefined),
      ),
});
