/**
 * A workflow made to be killed: two files, one of them packed, a sink in the middle, records that fail, records that
 * are skipped, and work that finishes in any order. What comes out is decided by the input alone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow, skip, syncTask } from 'millrace';
import { csvSink, csvSource } from 'millrace/csv';
import { z } from 'zod';

const KillConfig = z.strictObject({ input: z.string(), middle: z.string(), packed: z.string(), end: z.string() });

const Row = z.object({ n: z.coerce.number().int() });
type Row = z.output<typeof Row>;

export const KillFlow = defineWorkflow({
  name: 'KillFlow',
  config: KillConfig,
  window: 256,
  build: (flow, { input, middle, packed, end }) =>
    flow
      .task('Read', csvSource({ path: input, columns: ['n'], schema: Row }))
      .task(
        'Work',
        ['Read'],
        asyncTask(
          async ({ n }: Row) => {
            await sleep((n * 7) % 5);
            if (n % 97 === 0) throw new Error(`${n} is one that fails`);
            return n % 50 === 1 ? skip('one of fifty') : { n, square: n * n };
          },
          { concurrency: 32 },
        ),
      )
      .task('Middle', ['Work'], csvSink({ path: middle, columns: ['n', 'square'] }))
      .task(
        'After',
        ['Middle'],
        asyncTask(async ({ n, square }: { n: number; square: number }) => {
          await sleep((n * 3) % 4);
          if (n % 101 === 0) throw new Error(`${n} fails late`);
          return { n, cube: n * square };
        }),
      )
      .task(
        'Odd',
        ['Work'],
        syncTask(({ n, square }) => (n % 2 === 0 ? skip('even') : { n, square })),
      )
      .task('Packed', ['Odd'], csvSink({ path: packed, columns: ['n', 'square'] }))
      .task('End', ['After'], csvSink({ path: end, columns: ['n', 'cube'] })),
});
