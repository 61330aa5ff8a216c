/**
 * PostgreSQL in runs: what becomes of bad rows, lost connections, conflicts, other owners, and of values of all types.
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { defineWorkflow, sourceTask, syncTask, type DeadLetter, type RunOptions, type RunSummary } from 'millrace';
import { memoryCheckpoints, recordingDeadLetters } from 'millrace/testing';
import { postgresSink, postgresSource, sqlStatement, type PostgresSinkOptions } from 'millrace/postgres';
import { PostgresSink } from '#lib/connectors/postgres/postgres-sink.js';
import { contextOfTest } from '#lib/testing/connector-context.js';
import { PostgresSession } from '#lib/connectors/postgres/postgres-session.js';
import pg from 'pg';
import ts from 'typescript';
import { describeWithPostgres } from '../../support/describe-with-postgres.js';
import { PostgresServer } from '../../support/postgres-server.js';

const ROOT = new URL('../../../../', import.meta.url).pathname;

interface Item {
  readonly id: number;
  readonly name: string | null;
}

const items = (count: number): Item[] => Array.from({ length: count }, (_, id) => ({ id, name: `item ${id}` }));

describeWithPostgres('PostgreSQL in a run', () => {
  let server: PostgresServer;
  let count = 0;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 120_000);
  afterAll(async () => {
    await server.stop();
  });

  const tableOf = async (columns: string): Promise<string> => {
    const table = `t${++count}`;
    await server.sql(`CREATE TABLE ${table} (${columns})`);
    return table;
  };
  const write = (
    records: Iterable<Item> | AsyncIterable<Item>,
    options: Omit<PostgresSinkOptions<Item, 'id' | 'name'>, 'columns'>,
    run: RunOptions = {},
  ): Promise<RunSummary> =>
    defineWorkflow({
      name: 'Write',
      build: (flow) =>
        flow
          .task(
            'Items',
            sourceTask<Item>(() => records),
          )
          .task('Table', ['Items'], postgresSink({ connection: server.url, columns: ['id', 'name'], ...options })),
    }).run(undefined, run).finished;
  const idsOf = async (table: string): Promise<unknown[]> =>
    (await server.sql(`SELECT id FROM ${table} ORDER BY id`)).map(({ id }) => id);

  it.each(['insert', 'copy', 'upsert'] as const)(
    'with mode %s, rows that are refused become dead letters with the reason of the server, and all others are written',
    async (mode) => {
      const table = await tableOf('id int PRIMARY KEY CHECK (id <> 700), name text NOT NULL');
      const letters = recordingDeadLetters();
      const records = items(1200).map((item) =>
        item.id === 3 ? { ...item, name: null } : item.id === 4 ? { ...item, name: 'nul \0' } : item,
      );
      const key = mode === 'upsert' ? { key: ['id'] as const } : {};
      const summary = await write(records, { table, mode, ...key }, { deadLetters: letters });
      expect(letters.letters.map(({ record }: DeadLetter) => (record as Item).id)).toEqual([3, 4, 700]);
      const [missing, , broken] = letters.letters;
      expect(missing).toMatchObject({ code: 'MILLRACE_SQL', task: 'Table' });
      expect(missing?.message).toContain('violates not-null constraint');
      expect(broken?.message).toContain('SQLSTATE 23514');
      expect(summary.tasks['Table']).toMatchObject({ in: 1200, out: 1197, deadLettered: 3 });
      expect(await idsOf(table)).toEqual(items(1200).flatMap(({ id }) => ([3, 4, 700].includes(id) ? [] : [id])));
    },
  );

  it('a constraint that is checked at the commit costs its row alone', async () => {
    await server.sql('CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents SELECT generate_series(0, 99)');
    const table = await tableOf('id int REFERENCES parents DEFERRABLE INITIALLY DEFERRED, name text');
    const letters = recordingDeadLetters();
    await write([...items(50), { id: 1000, name: '' }, { id: 60, name: '' }], { table }, { deadLetters: letters });
    expect(letters.letters.map(({ record }) => (record as Item).id)).toEqual([1000]);
    expect(await idsOf(table)).toHaveLength(51);
  });

  it('the last of several rows with one key stays', async () => {
    const table = await tableOf('id numeric PRIMARY KEY, name text');
    // Equal for the server alone.
    const equal = [
      { id: 1, name: 'a' },
      { id: '1.0' as unknown as number, name: 'b' },
    ];
    await write([...equal, { id: 2, name: 'c' }, { id: 2, name: 'd' }], { table, mode: 'upsert', key: ['id'] });
    expect(await server.sql(`SELECT name FROM ${table} ORDER BY id`)).toEqual([{ name: 'b' }, { name: 'd' }]);
  });

  it('a server that crashes in the middle costs no row and doubles none', async () => {
    const table = await tableOf('id int, name text');
    const records = async function* (): AsyncGenerator<Item> {
      for (const item of items(6000)) {
        if (item.id === 2000 || item.id === 4000) {
          await server.crash();
          void server.begin();
        }
        yield item;
      }
    };
    const summary = await write(records(), { table, mode: 'copy' });
    expect(summary.outcome).toBe('completed');
    expect(await idsOf(table)).toEqual(items(6000).map(({ id }) => id));
  }, 60_000);

  it('conflicts with other transactions are repeated until they pass', async () => {
    const table = await tableOf('id int PRIMARY KEY, name text');
    await server.sql(`INSERT INTO ${table} SELECT n, '' FROM generate_series(0, 1999) AS n`);
    await server.sql(`ALTER ROLE postgres SET default_transaction_isolation = 'serializable'`);
    try {
      const others = await server.connect();
      const meddling = new AbortController();
      const meddle = (async () => {
        while (!meddling.signal.aborted)
          await others.query(`UPDATE ${table} SET name = name || 'x' WHERE id % 100 = 7`).catch(() => undefined);
      })();
      const summary = await write(items(2000), { table, mode: 'upsert', key: ['id'] });
      meddling.abort();
      await meddle;
      await others.end();
      expect(summary).toMatchObject({ outcome: 'completed', tasks: { Table: { out: 2000 } } });
      expect(await server.sql(`SELECT count(*)::int FROM ${table} WHERE name LIKE 'item%'`)).toEqual([{ count: 2000 }]);
    } finally {
      await server.sql('ALTER ROLE postgres RESET default_transaction_isolation');
    }
  });

  it('a run that another process has resumed writes nothing more', async () => {
    const table = await tableOf('id int, name text');
    const resume = async function* (): AsyncGenerator<Item> {
      for (const item of items(1000)) {
        if (item.id === 500) {
          // The other process takes over as this one hangs.
          await write([], { table }, { runId: 'one run' });
        }
        yield item;
      }
    };
    await expect(write(resume(), { table }, { runId: 'one run' })).rejects.toThrow(
      /Another process has resumed this run and writes to "t\d+"/,
    );
    expect((await idsOf(table)).length).toBeLessThanOrEqual(500);
  });

  it('a lost answer while the sink connects again is not taken for another owner', async () => {
    const table = await tableOf('id int, name text');
    const original = Reflect.get(PostgresSession.prototype, 'query') as (...given: unknown[]) => Promise<unknown>;
    let lost = 0;
    const replaced = async function (this: PostgresSession, ...given: unknown[]): Promise<unknown> {
      const answer = await original.apply(this, given);
      if (!String(given[0]).includes('SET incarnation =') || lost++ > 1) return answer;
      this.disconnect();
      throw Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
    };
    Reflect.set(PostgresSession.prototype, 'query', replaced);
    try {
      const records = async function* (): AsyncGenerator<Item> {
        for (const item of items(1000)) {
          if (item.id === 500) {
            await server.sql(
              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
            );
          }
          yield item;
        }
      };
      expect(await write(records(), { table })).toMatchObject({ outcome: 'completed' });
      expect(lost).toBeGreaterThan(1);
      expect(await idsOf(table)).toEqual(items(1000).map(({ id }) => id));
    } finally {
      Reflect.set(PostgresSession.prototype, 'query', original);
    }
  });

  it('rows that were written after the last checkpoint are not written again', async () => {
    const table = await tableOf('id int, name text');
    const kept = memoryCheckpoints();
    const broken = async function* (): AsyncGenerator<Item> {
      for (const item of items(1500)) {
        if (item.id === 1400) {
          // Not before a transaction was committed.
          while ((await idsOf(table)).length === 0) await setImmediate();
          throw new Error('The input broke');
        }
        yield item;
      }
    };
    await expect(write(broken(), { table }, { runId: 'kept', checkpoints: kept.begin() })).rejects.toThrow('broke');
    expect((await idsOf(table)).length).toBeGreaterThan(0);
    // The checkpoint is lost, and the rows are not.
    await write(items(1500), { table }, { runId: 'kept', checkpoints: memoryCheckpoints().begin() });
    expect(await idsOf(table)).toEqual(items(1500).map(({ id }) => id));
    expect(await server.sql(`SELECT * FROM millrace_sinks WHERE run = 'kept'`)).toEqual([]);
    expect(
      await server.sql(
        `SELECT r.* FROM millrace_ranges r LEFT JOIN millrace_sinks s ON s.id = r.sink WHERE s.id IS NULL`,
      ),
    ).toEqual([]);
  });

  it.each(['insert', 'copy'] as const)(
    'with mode %s, a record that closes a gap joins the ranges beside it, also if a row is refused',
    async (mode) => {
      const table = await tableOf('id int PRIMARY KEY CHECK (id <> 6), name text');
      const rangesAfter = async (...batches: readonly (readonly number[])[]): Promise<unknown> => {
        const options = { connection: server.url, table, columns: ['id', 'name'], mode } as const;
        const sink = new PostgresSink<Item, 'id' | 'name'>(options);
        await sink.open(contextOfTest('Table'), undefined);
        for (const numbers of batches) {
          const rows = numbers.map((id) => sink.encode({ id, name: '' }));
          await sink.write({ root: 'Items', partition: 0, numbers, rows });
        }
        await sink.close('failed');
        const found = await server.sql(
          `SELECT first::int, past::int FROM millrace_ranges r JOIN millrace_sinks s ON s.id = r.sink
          WHERE s.target = 'public.${table}' ORDER BY first`,
        );
        return found.map(({ first, past }) => [first, past]);
      };
      expect(await rangesAfter([0, 2, 4], [3], [9])).toEqual([
        [0, 1],
        [2, 5],
        [9, 10],
      ]);
      expect(await rangesAfter([8, 1])).toEqual([
        [0, 5],
        [8, 10],
      ]);
      expect(await rangesAfter([5, 6, 7])).toEqual([
        [0, 6],
        [7, 10],
      ]);
      expect((await idsOf(table)).length).toBe(9);
    },
  );

  it.each([
    [{ table: 'nowhere' }, `The table "nowhere" of 'Table' does not exist`],
    [
      { table: 'parts', schema: 'shop' },
      'Table "shop"."parts" has no column id (string). Its columns: part, name'.replace('id (string)', '"id" (string)'),
    ],
    [
      { table: 'keyless', mode: 'upsert', key: ['id'] },
      '`key` must name the columns of a primary key or a unique index',
    ],
    [
      { table: 'keyless', connection: 'postgres://postgres@127.0.0.1:1/postgres' },
      'The PostgreSQL server cannot be reached',
    ],
    [{ table: 'keyless', connection: { database: 'none' } }, 'database "none" does not exist'],
  ] as const)('says in one sentence what is wrong with %j', async (options, message) => {
    await server.sql(
      'CREATE SCHEMA IF NOT EXISTS shop; CREATE TABLE IF NOT EXISTS shop.parts (part int, name text); CREATE TABLE IF NOT EXISTS keyless (id int, name text)',
    );
    const { connection = server.url, ...rest } = options as {
      readonly connection?: string | { readonly database: string };
    };
    const given =
      typeof connection === 'string'
        ? connection
        : { ...connection, host: '127.0.0.1', port: server.port, user: 'postgres' };
    await expect(write(items(1), { ...(rest as { readonly table: string }), connection: given })).rejects.toThrow(
      message,
    );
  });

  it('values of all types come back as they were written, by INSERT and by COPY', async () => {
    const columns =
      'id int, b bigint, n numeric, f float8, t text, v varchar(3), d date, ts timestamp, tz timestamptz, j jsonb, js json, a int[], ta text[], bytes bytea, ok boolean';
    const names = columns.split(', ').map((column) => column.split(' ')[0] as string);
    const value = {
      ...{ id: 1, b: 9007199254740993n, n: '0.10', f: 0.1, t: 'a "b" \\ \t\n', v: 'abc', d: '2024-02-29' },
      ...{ ts: new Date('2024-01-02T03:04:05.678Z'), tz: new Date(0), j: { a: [1, 'x'] }, js: 'text', a: [1, 2] },
      ...{ ta: ['a"b', 'c\\d', '{}', null], bytes: Buffer.from([0, 1, 255]), ok: false },
    };
    const empty = { ...Object.fromEntries(names.map((name) => [name, null])), id: 2, f: Infinity };
    for (const mode of ['insert', 'copy'] as const) {
      const table = await tableOf(columns);
      const letters = recordingDeadLetters();
      await defineWorkflow({
        name: 'Types',
        build: (flow) =>
          flow
            .task('Values', sourceTask<Record<string, unknown>>([value, empty, { ...value, v: 'abcd' }]))
            .task('Table', ['Values'], postgresSink({ connection: server.url, table, columns: names, mode })),
      }).run(undefined, { deadLetters: letters }).finished;
      expect(letters.letters).toHaveLength(1);
      const found: unknown[] = [];
      await defineWorkflow({
        name: 'Read',
        build: (flow) =>
          flow
            .task('Rows', postgresSource({ connection: server.url, query: `SELECT * FROM ${table}`, keyset: ['id'] }))
            .task(
              'Keep',
              ['Rows'],
              syncTask((row: Record<string, unknown>) => found.push(row)),
            ),
      }).run().finished;
      expect(found).toEqual([{ ...value, b: '9007199254740993' }, empty]);
    }
  });

  it('does what the guide says', async () => {
    const guide = await readFile(join(ROOT, 'docs', 'sql.md'), 'utf8');
    const [tables = ''] = /(?<=```sql\n)[\s\S]*?(?=```)/.exec(guide) ?? [];
    await server.sql(tables);
    const [code = ''] = /(?<=```ts\n)[\s\S]*?(?=```)/.exec(guide) ?? [];
    // Inside of the package, so that `import 'millrace'` is the package itself.
    const file = join(ROOT, 'build', 'sql-guide.js');
    await writeFile(file, ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ES2023 } }).outputText);
    const { port, hostname, username } = new URL(server.url);
    const env = { ...process.env, PGHOST: hostname, PGPORT: port, PGUSER: username, PGDATABASE: 'postgres' };
    const { stdout } = await promisify(execFile)(process.execPath, [file], { env });
    expect(stdout).toBe('2\n');
    expect(await server.sql('SELECT * FROM copies ORDER BY id')).toEqual([
      { id: 1, city: 'Oslo' },
      { id: 3, city: 'Oslo' },
    ]);
  });

  it('a value that a parser of the program refuses costs its row alone, at once', async () => {
    const { types } = pg;
    const { NUMERIC } = types.builtins;
    const before = types.getTypeParser(NUMERIC) as (value: string) => unknown;
    types.setTypeParser(NUMERIC, (value: string) => {
      if (value === 'NaN') throw new Error('no number');
      return value;
    });
    try {
      const query = `SELECT n, (ARRAY['1', 'NaN', '3'])[n]::numeric AS x FROM generate_series(1, 3) AS n`;
      const letters = recordingDeadLetters();
      const found: unknown[] = [];
      const statement = sqlStatement({
        connection: server.url,
        sql: `SELECT 'NaN'::numeric AS x WHERE $1::int = 3`,
        params: ({ n }: { readonly n: number }) => [n],
      });
      await defineWorkflow({
        name: 'Parse',
        build: (flow) =>
          flow
            .task('Rows', postgresSource<{ n: number }>({ connection: server.url, query, keyset: ['n'] }))
            .task('Statement', ['Rows'], statement)
            .task(
              'Keep',
              ['Statement'],
              syncTask((row: object) => found.push(row)),
            ),
      }).run(undefined, { deadLetters: letters }).finished;
      expect(found).toEqual([{ n: 1, x: '1' }]);
      expect(letters.letters).toMatchObject([
        { record: { n: 2, x: 'NaN' }, message: "The parser of column 'x' of 'Rows' threw: no number" },
        { record: { n: 3 }, message: 'The parser of type 1700 of PostgreSQL threw: no number' },
      ]);
    } finally {
      types.setTypeParser(NUMERIC, before);
    }
  });

  it('a statement per record returns rows, repeats what was rolled back, and gives up single records', async () => {
    const table = await tableOf('id int PRIMARY KEY, name text');
    await server.sql(`INSERT INTO ${table} SELECT n, 'name ' || n FROM generate_series(0, 99) AS n`);
    const letters = recordingDeadLetters();
    const found: unknown[] = [];
    const lookUp = (sql: string): Promise<RunSummary> =>
      defineWorkflow({
        name: 'LookUp',
        build: (flow) =>
          flow
            .task('Ids', sourceTask<unknown>([0, 'x', 99, 100]))
            .task(
              'Name',
              ['Ids'],
              sqlStatement({
                connection: server.url,
                sql,
                params: (id: unknown) => [id],
                result: (rows, id) => `${String(id)}: ${String(rows[0]?.['name'])}`,
                ordered: true,
              }),
            )
            .task(
              'Keep',
              ['Name'],
              syncTask((name: string) => found.push(name)),
            ),
      }).run(undefined, { deadLetters: letters }).finished;
    await lookUp(`SELECT name FROM ${table} WHERE id = $1`);
    expect(found).toEqual(['0: name 0', '99: name 99', '100: undefined']);
    expect(letters.letters).toMatchObject([{ record: 'x', code: 'MILLRACE_SQL' }]);
    await expect(lookUp('SELECT name FROM nowhere WHERE id = $1')).rejects.toThrow(
      `The statement of 'Name': relation "nowhere" does not exist`,
    );
  });

  it('a statement that waits does not hold up the end of a run that is cancelled', async () => {
    await server.sql('SELECT pg_advisory_lock(7)');
    const run = defineWorkflow({
      name: 'Waits',
      build: (flow) =>
        flow
          .task('One', sourceTask([1]))
          .task('Wait', ['One'], sqlStatement({ connection: server.url, sql: 'SELECT pg_advisory_lock(7)' })),
    }).run();
    while ((await server.sql("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")).length === 0);
    run.cancel();
    expect((await run.finished).outcome).toBe('cancelled');
    await server.sql('SELECT pg_advisory_unlock_all()');
  });
});
