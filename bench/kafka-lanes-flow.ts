/** A workflow whose second stage computes: each record costs about a tenth of a millisecond of processor time. */
import { aggregateTask, defineWorkflow, repartition, sourceTask, syncTask } from 'millrace';
import { z } from 'zod';

const STEPS = 60_000;

export const LanesFlow = defineWorkflow({
  name: 'LanesFlow',
  config: z.object({ records: z.number() }),
  build: (flow, { records }) =>
    flow
      .task('In', sourceTask([...new Array<undefined>(records).keys()]))
      .task(
        'Spread',
        ['In'],
        repartition((n: number) => n % 64),
      )
      .task(
        'Compute',
        ['Spread'],
        syncTask((n: number) => {
          let value = n;
          for (let step = 0; step < STEPS; step++) value = (Math.imul(value, 1_103_515_245) + 12_345) | 0;
          return value & 0xff;
        }),
      )
      .task(
        'Sum',
        ['Compute'],
        aggregateTask({ init: () => 0, add: (sum: number, n: number) => sum + n, finish: (sum) => sum }),
      ),
});
