/**
 * A workflow over several files that is made to be killed: plain and packed files of JSON lines in order, and two files
 * of JSON lines out of it. What comes out is decided by the input alone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow } from 'millrace';
import { files, ndjsonSink, ndjsonSource } from 'millrace/ndjson';
import { z } from 'zod';

const FilesConfig = z.strictObject({ input: z.string(), plain: z.string(), packed: z.string() });

const Row = z.object({ file: z.string(), n: z.number() });
type Row = z.output<typeof Row>;

export const FilesFlow = defineWorkflow({
  name: 'FilesFlow',
  config: FilesConfig,
  window: 256,
  build: (flow, { input, plain, packed }) =>
    flow
      .task('Read', ndjsonSource({ path: files(input), schema: Row }))
      .task(
        'Work',
        ['Read'],
        asyncTask(
          async (row: Row) => {
            await sleep((row.n * 7) % 5);
            if (row.n % 97 === 0) throw new Error(`${row.n} is one that fails`);
            return row;
          },
          { concurrency: 32 },
        ),
      )
      .task('Packed', ['Work'], ndjsonSink({ path: packed }))
      .task('Plain', ['Work'], ndjsonSink({ path: plain, value: ({ file, n }: Row) => ({ file, square: n * n }) })),
});
