/** A workflow that reads one table and writes another, made to be killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow } from 'millrace';
import { postgresSink, postgresSource } from 'millrace/postgres';
import { z } from 'zod';

const Config = z.strictObject({ port: z.coerce.number(), mode: z.enum(['copy', 'insert']) });
const Numbered = z.object({ id: z.coerce.number(), name: z.string() });
type Numbered = z.output<typeof Numbered>;

export const CopyFlow = defineWorkflow({
  name: 'CopyFlow',
  config: Config,
  build: (flow, { port, mode }) => {
    const connection = { host: '127.0.0.1', port, user: 'postgres', database: 'postgres' };
    return flow
      .task(
        'Numbers',
        postgresSource({ connection, query: 'SELECT id, name FROM numbers', keyset: ['id'], schema: Numbered }),
      )
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
      .task('Copies', ['Work'], postgresSink({ connection, table: 'copies', columns: ['id', 'name'], mode }));
  },
});
