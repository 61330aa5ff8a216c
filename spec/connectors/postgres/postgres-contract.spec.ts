/** PostgreSQL held to the contract of connectors, against a real server. */
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { connectorContract } from 'millrace/testing';
import { PostgresSink } from '#lib/connectors/postgres/postgres-sink.js';
import { PostgresSource } from '#lib/connectors/postgres/postgres-source.js';
import type { PostgresMode } from 'millrace/postgres';
import { describeWithPostgres } from '../../support/describe-with-postgres.js';
import { PostgresServer } from '../../support/postgres-server.js';

interface Item {
  readonly id: number;
  readonly name: string;
  readonly flag: boolean | null;
}

const ITEMS: readonly Item[] = [
  { id: 0, name: '', flag: false },
  { id: 1, name: 'tab\tand\\n', flag: null },
  { id: 2, name: 'ünï "quoted"', flag: true },
  { id: 3, name: '\\N', flag: false },
  { id: 4, name: 'line\nend', flag: null },
];

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  let count = 0;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 120_000);
  afterAll(async () => {
    await server.stop();
  });

  const read = connectorContract<Record<string, unknown>, never>({
    source: {
      records: ITEMS as unknown as readonly Record<string, unknown>[],
      place: async (records) => {
        const table = `source_${count++}`;
        await server.sql(`CREATE TABLE ${table} (id int PRIMARY KEY, name text, flag boolean)`);
        for (const { id, name, flag } of records) {
          await server.sql(`INSERT INTO ${table} VALUES ($1, $2, $3)`, [id, name, flag]);
        }
        const query = `SELECT * FROM ${table} -- all of them`;
        return () => new PostgresSource({ connection: server.url, query, keyset: ['id'], fetchRows: 2 });
      },
      missing: () => new PostgresSource({ connection: server.url, query: 'SELECT * FROM nowhere' }),
    },
  });
  it.each(read)('$name', async ({ run }) => {
    await run();
  });

  describe.each<PostgresMode>(['insert', 'upsert', 'copy'])('as a sink with mode %s', (mode) => {
    const cases = connectorContract<never, Item>({
      sink: {
        records: ITEMS,
        place: async () => {
          const table = `Items "${count++}"`;
          const quoted = `"${table.replaceAll('"', '""')}"`;
          await server.sql(`CREATE TABLE ${quoted} (n serial, id int PRIMARY KEY, name text, flag boolean)`);
          return {
            make: () =>
              new PostgresSink<Item, 'id' | 'name' | 'flag'>({
                connection: server.url,
                table,
                columns: ['id', 'name', 'flag'],
                mode,
                ...(mode === 'upsert' ? { key: ['id'] } : {}),
              }),
            // The connection ends as with the process: without a goodbye, and the progress stays.
            kill: (sink) => sink.close?.('failed'),
            read: async () =>
              (await server.sql(`SELECT id, name, flag FROM ${quoted} ORDER BY n`)) as unknown as readonly Item[],
          };
        },
      },
    });
    it.each(cases)('$name', async ({ run }) => {
      await run();
    });
  });
});
