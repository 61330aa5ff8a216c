/** A workflow that reads one table and writes another of the same file, made to be killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow } from 'millrace';
import { sqliteSink, sqliteSource } from 'millrace/sqlite';
import { z } from 'zod';

interface Numbered {
  readonly id: number;
  readonly name: string;
}

export const CopyFlow = defineWorkflow({
  name: 'CopyFlow',
  config: z.strictObject({ path: z.string() }),
  build: (flow, { path }) =>
    flow
      .task('Numbers', sqliteSource<Numbered>({ path, query: 'SELECT id, name FROM numbers', keyset: ['id'] }))
      .task(
        'Work',
        ['Numbers'],
        asyncTask(
          async (record: Numbered) => {
            await sleep(record.id % 4);
            return record;
          },
          { concurrency: 64 },
        ),
      )
      .task('Copies', ['Work'], sqliteSink({ path, table: 'copies', columns: ['id', 'name'] })),
});
