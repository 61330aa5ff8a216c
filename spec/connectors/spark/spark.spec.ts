/**
 * Spark in runs, against a real server that asks for a token and whose driver holds only small results, on a standalone
 * cluster of two workers. All cases share it, because its start takes longer than most of them.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask, sourceTask, type RunOptions, type RunSummary, type SourceTask } from 'millrace';
import { connectorContract, recordingDeadLetters, type SinkSubject } from 'millrace/testing';
import {
  errorClassOf,
  onSpark,
  sparkSink,
  sparkSource,
  sparkStatement,
  type SparkFields,
  type SparkSourceOptions,
  type SparkStatementOptions,
} from 'millrace/spark';
import { Execution } from '#lib/connectors/spark/execution.js';
import { sqlRelation } from '#lib/connectors/spark/literals.js';
import { SparkCursor, wrapQuery, type CursorQuery } from '#lib/connectors/spark/spark-cursor.js';
import { SparkSink } from '#lib/connectors/spark/spark-sink.js';
import { SinkSession } from '#lib/connectors/spark/sink-session.js';
import { SparkSession } from '#lib/connectors/spark/spark-session.js';
import { SparkSource } from '#lib/connectors/spark/spark-source.js';
import { contextOfTest } from '#lib/testing/connector-context.js';
import ts from 'typescript';
import { isLong } from '../../support/long.js';
import { describeWithSpark } from '../../spark/with-spark.js';
import { clusterCases } from './cluster-cases.js';
import { echo, foreignTotals, leaving, negated, noted, SaleRow, shopTotals, type Sale } from './modules/spark-work.js';

const ROOT = new URL('../../../../', import.meta.url).pathname;
const TOKEN = 'a-token-of-the-specs';
const LIMIT_MS = 120_000;

/** Runs a source to its end. */
async function read<Out>(
  source: SourceTask<Out>,
  options: RunOptions = {},
): Promise<{ readonly records: Out[]; readonly summary: RunSummary }> {
  const records: Out[] = [];
  const keep = sinkTask((record: Out) => {
    records.push(record);
  });
  const summary = await defineWorkflow({
    name: 'Read',
    build: (flow) => flow.task('Rows', source).task('Keep', ['Rows'], keep),
  }).run(undefined, options).finished;
  return { records, summary };
}

describeWithSpark(
  'Spark',
  (server) => {
    const connection = () => ({ remote: server().remote, token: TOKEN });
    const remoteWithToken = (): string => `${server().remote}/;token=${TOKEN}`;
    const source = <Out = Record<string, unknown>>(options: Omit<SparkSourceOptions<Out>, 'remote'>) =>
      sparkSource<Out>({ ...connection(), ...options });
    const execute = async <In, Out>(
      records: readonly In[],
      options: Omit<SparkStatementOptions<In, Out>, 'remote'>,
      run: RunOptions = {},
    ): Promise<{ readonly outputs: Out[]; readonly summary: RunSummary }> => {
      const outputs: Out[] = [];
      const keep = sinkTask((output: Out) => {
        outputs.push(output);
      });
      const flow = defineWorkflow({
        name: 'Execute',
        build: (build) =>
          build
            .task('Records', sourceTask(records))
            .task('Statement', ['Records'], sparkStatement({ ...connection(), ordered: true, ...options }))
            .task('Keep', ['Statement'], keep),
      });
      const summary = await flow.run(undefined, run).finished;
      return { outputs, summary };
    };

    describe('as a source', () => {
      const ITEMS = [
        { id: 0, name: '', flag: false },
        { id: 1, name: "quote ' and `", flag: null },
        { id: 2, name: 'ünï "quoted" \\', flag: true },
        { id: 3, name: 'line\nend', flag: false },
        { id: 4, name: '0', flag: null },
      ];
      const rowsOf = (items: readonly Record<string, unknown>[]): string =>
        `SELECT v.* FROM (SELECT explode(from_json('${JSON.stringify(items).replace(/[\\']/g, '\\$&')}', 'array<struct<id: bigint, part: int, name: string, flag: boolean>>')) AS v)`;
      const columns = (items: readonly Record<string, unknown>[]): string =>
        `SELECT id, name, flag FROM (${rowsOf(items)})`;
      const cases = connectorContract<Record<string, unknown>, never>({
        source: {
          records: ITEMS,
          place: (records) => () =>
            new SparkSource({ ...connection(), sql: `${columns(records)} -- all`, keyset: ['id'] }),
          missing: () => new SparkSource({ ...connection(), sql: 'SELECT * FROM nowhere' }),
        },
      });
      it.each(cases)('$name', ({ run }) => run(), LIMIT_MS);

      it('reads each type without rounding', async () => {
        const sql = `SELECT CAST(123.4567 AS DECIMAL(10, 4)) AS dec, CAST(-0.05 AS DECIMAL(20, 2)) AS small,
          CAST('12345678901234567890.123456789' AS DECIMAL(38, 9)) AS big, DATE'2024-02-29' AS day,
          TIMESTAMP'9999-02-28 12:34:56.123456' AS at, TIMESTAMP_NTZ'1969-02-28 12:34:56.000001' AS local,
          array(1L, NULL) AS list, map('k', DATE'2020-01-01') AS named, map(1, 'x') AS numbered,
          named_struct('x', CAST(1.50 AS DECIMAL(9, 2)), 'at', TIMESTAMP'2024-02-29 12:34:56.123456') AS struct,
          9007199254740991L AS most, -9007199254740991L AS least, CAST('ab' AS BINARY) AS bytes,
          array(TIMESTAMP'9999-02-28 12:34:56.123457') AS far, CAST(-4294967296.5 AS DECIMAL(38, 1)) AS middle,
          decode(X'EFBBBF61', 'UTF-8') AS marked, repeat('é', 20) AS accents, NULL AS nothing, TRUE AS flag, 1.5F AS single, -2.25D AS twice`;
        const { records } = await read(source({ sql }));
        expect(records).toEqual([
          {
            dec: '123.4567',
            small: '-0.05',
            big: '12345678901234567890.123456789',
            day: '2024-02-29',
            at: '9999-02-28T12:34:56.123456Z',
            local: '1969-02-28T12:34:56.000001',
            list: [1, null],
            named: { k: '2020-01-01' },
            numbered: [[1, 'x']],
            struct: { x: '1.50', at: '2024-02-29T12:34:56.123456Z' },
            most: Number.MAX_SAFE_INTEGER,
            least: Number.MIN_SAFE_INTEGER,
            far: ['9999-02-28T12:34:56.123457Z'],
            middle: '-4294967296.5',
            marked: '\ufeffa',
            accents: 'é'.repeat(20),
            bytes: new Uint8Array([97, 98]),
            nothing: null,
            flag: true,
            single: 1.5,
            twice: -2.25,
          },
        ]);
      });

      it.each([
        ['a VARIANT', `parse_json('{"a": 1}')`],
        ['a list of them', `array(parse_json('1'))`],
        ['a GEOMETRY', `ST_GeomFromWKB(X'0101000000000000000000F03F0000000000000040')`],
        ['an interval', `INTERVAL '3' DAY`],
      ])('refuses %s, and says that it can be converted', async (_, value) => {
        await expect(read(source({ sql: `SELECT 1 AS id, ${value} AS v` }))).rejects.toMatchObject({
          code: 'MILLRACE_SQL',
          message: expect.stringMatching(/^Column 'v' has a type .* CAST\(`v` AS STRING\)/),
        });
      });

      it('reads a VARIANT that the query has converted', async () => {
        const v = `parse_json('{"a": [1, "x"]}')`;
        const { records } = await read(source({ sql: `SELECT CAST(${v} AS STRING) AS text, to_json(${v}) AS json` }));
        expect(records).toEqual([{ text: '{"a":[1,"x"]}', json: '{"a":[1,"x"]}' }]);
      });

      it('refuses only the row with an integer that a number cannot represent', async () => {
        const deadLetters = recordingDeadLetters();
        const sql = 'SELECT id, id + 9007199254740990L AS big FROM range(4)';
        const { records } = await read(source({ sql, keyset: ['id'] }), { deadLetters });
        expect(records.map(({ big }) => big)).toEqual([9_007_199_254_740_990, 9_007_199_254_740_991]);
        expect(deadLetters.letters).toMatchObject([{ code: 'MILLRACE_SQL' }, { code: 'MILLRACE_SQL' }]);
      });

      it.each([
        ['SELECT * FROM nowhere', 'TABLE_OR_VIEW_NOT_FOUND'],
        ['SELEC 1', 'PARSE_SYNTAX_ERROR'],
        ['SELECT 1 / 0 AS x', 'DIVIDE_BY_ZERO'],
        ['SELECT :missing AS x', 'UNBOUND_SQL_PARAMETER'],
      ])('fails with MILLRACE_SQL and the error class of Spark for %s', async (sql, errorClass) => {
        const error: unknown = await read(source({ sql })).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: 'MILLRACE_SQL', message: expect.stringContaining(errorClass) });
        expect(errorClassOf(error)).toBe(errorClass);
      });

      it('is refused without the token', async () => {
        const { remote } = server();
        await expect(read(sparkSource({ remote, sql: 'SELECT 1' }))).rejects.toMatchObject({ code: 'MILLRACE_SQL' });
      });

      it('fails if two columns have one name', async () => {
        await expect(read(source({ sql: 'SELECT 1 AS a, 2 AS b, 3 AS a' }))).rejects.toMatchObject({
          code: 'MILLRACE_SQL',
          message: expect.stringContaining('two columns "a"'),
        });
      });

      it('fails if its keyset is not unique', async () => {
        const sql = 'SELECT id DIV 2 AS half FROM range(4)';
        await expect(read(source({ sql, keyset: ['half'] }))).rejects.toMatchObject({
          code: 'MILLRACE_SQL',
          message: expect.stringContaining('two rows with the key'),
        });
      });

      it('continues after the last key of a position, column by column', async () => {
        const sql = `SELECT CAST(id DIV 10 AS STRING) AS tens, DATE'2024-01-01' + CAST(id % 10 AS INT) AS day, id FROM range(40)`;
        const options = { ...connection(), sql, keyset: ['tens', 'day'] };
        const first = new SparkSource<{ readonly id: number }>(options);
        const [part] = first.open(contextOfTest('Rows'), undefined);
        const begun = await part?.read(25);
        await first.close();
        const second = new SparkSource<{ readonly id: number }>(options);
        const { position } = begun as { readonly position: { readonly lineage: number } };
        const past = { position: JSON.parse(JSON.stringify(position)) as typeof position, from: 25, partitions: [] };
        const [rest] = second.open(contextOfTest('Rows'), past);
        const read25 = await rest?.read(100);
        await second.close();
        expect(rest?.from).toBe(25);
        const ids = [begun, read25].flatMap((some) => some?.records as { readonly id: number }[]).map(({ id }) => id);
        expect(ids).toEqual(Array.from({ length: 40 }, (_, i) => i));
      });

      it('reads in parts what the driver cannot hold at once', async () => {
        const sql = 'SELECT id, sha2(CAST(id AS STRING), 512) AS text FROM range(30000)';
        await expect(read(source({ sql }))).rejects.toMatchObject({
          message: expect.stringContaining('spark.driver.maxResultSize'),
        });
        const { records } = await read(source({ sql, partitions: 6, partitionBy: 'id', keyset: ['id'] }));
        expect(new Set(records.map(({ id }) => id)).size).toBe(30_000);
      });

      it('reads each row once through connections that break', async () => {
        const proxy = await CuttingProxy.start(server().port, 150_000);
        try {
          const sql = 'SELECT id FROM range(0, 120000, 1, 4)';
          const { records } = await read(sparkSource<{ id: number }>({ remote: proxy.remote, token: TOKEN, sql }));
          expect(records.length).toBe(120_000);
          expect(records.every(({ id }, i) => id === i)).toBe(true);
          expect(proxy.cuts).toBeGreaterThan(2);
        } finally {
          proxy.stop();
        }
      });

      it('continues after the last key when the server has ended its session', async () => {
        const proxy = await CuttingProxy.start(server().port, 150_000);
        const keyset = ['id'];
        const sql = 'SELECT id FROM range(0, 60000, 1, 4)';
        const sessions: SparkSession[] = [];
        proxy.whenFirstCut = () => {
          const same = new SparkSession(connection(), sessions[0]?.id);
          void same.end().finally(() => {
            same.disconnect();
          });
        };
        const query: CursorQuery = {
          ...{ connection: { remote: proxy.remote, token: TOKEN }, setup: [], args: {}, keyset },
          query: (session, after) => {
            sessions.push(session);
            return wrapQuery({ sql, keyset, after });
          },
          limits: { retryForMs: 20_000, noProgressMs: 60_000 },
        };
        const cursor = new SparkCursor(query, contextOfTest('Rows'), undefined);
        try {
          const ids: unknown[] = [];
          for (let rows = await cursor.read(5000); rows !== null; rows = await cursor.read(5000)) {
            ids.push(...rows.map((row) => (row as SparkFields)['id']));
          }
          expect(ids).toEqual(Array.from({ length: 60_000 }, (_, id) => id));
          expect(sessions.length).toBe(2);
        } finally {
          await cursor.close();
          proxy.stop();
        }
      });

      it('fails where the driver does nothing for too long', async () => {
        const sql = `SELECT reflect('java.lang.Thread', 'sleep', 20000L) AS x FROM range(1)`;
        await expect(read(source({ sql, noProgressMs: 1000 }))).rejects.toMatchObject({ code: 'MILLRACE_TIMEOUT' });
      });

      it('fails with MILLRACE_NETWORK where no server answers', async () => {
        const remote = 'sc://127.0.0.1:9';
        await expect(read(sparkSource({ remote, sql: 'SELECT 1', retryForMs: 50 }))).rejects.toMatchObject({
          code: 'MILLRACE_NETWORK',
        });
      });
    });

    // Behind the source, whose cases have warmed the server up: the first statement of a server takes long.
    describe('as a sink', () => {
      const items = [
        { id: 0, name: '' },
        { id: 1, name: `quote ' " \\ and \`` },
        { id: 2, name: 'ünï' },
        { id: 3, name: null },
      ];
      const columns = { id: 'BIGINT', name: 'STRING' } as const;
      type Item = (typeof items)[number];
      let tables = 0;
      const rowsIn = async (table: string): Promise<readonly Item[]> => {
        const { records } = await read(
          source<Item>({ sql: `SELECT id, name FROM ${table} ORDER BY millrace_record.number` }),
        ).catch(() => ({ records: [] }));
        return records;
      };
      const sink: SinkSubject<Item> = {
        records: items,
        place: () => {
          const table = `sink_${tables++}`;
          return {
            make: () => new SparkSink<Item, keyof Item>({ ...connection(), table, columns }),
            read: () => rowsIn(table),
          };
        },
      };
      // Each statement of Spark takes a while, and a case has up to thirty.
      const SHORT = /names its dataset|no listener|written 4 at|reports those it holds|after a write and/;
      const cases = connectorContract<never, Item>({ sink }).filter(({ name }) => isLong || SHORT.test(name));
      it.each(cases)('$name', ({ run }) => run(), LIMIT_MS);

      it(
        'writes each type, and leaves out only the rows that Spark refuses',
        async () => {
          const records = [0, 1, 2].map((id) => ({
            // Spark leaves its error class out where the values that it names are long.
            id: id === 1 ? 'one'.repeat(500) : 2n ** 62n + BigInt(id),
            at: new Date(Date.UTC(2024, 1, 29, 12, 0, 0, id)),
            price: '1234567890.12',
            tags: ['a', null],
            detail: { score: id === 0 ? NaN : id / 4, bytes: new Uint8Array([id]) },
          }));
          const types = {
            ...{ id: 'BIGINT', at: 'TIMESTAMP', price: 'DECIMAL(20, 2)', tags: 'ARRAY<STRING>' },
            detail: 'STRUCT<score: DOUBLE, bytes: BINARY>',
          };
          const deadLetters = recordingDeadLetters();
          const write = (letters: typeof deadLetters) =>
            defineWorkflow({
              name: 'Write',
              build: (flow) =>
                flow
                  .task('Records', sourceTask(records))
                  .task('Table', ['Records'], sparkSink({ ...connection(), table: 'typed', columns: types })),
            }).run(undefined, { deadLetters: letters }).finished;
          const { tasks } = await write(deadLetters);
          expect(tasks['Table']).toMatchObject({ out: 2 });
          expect(deadLetters.letters.map(({ message }) => message)).toEqual([
            expect.stringContaining("Table typed of 'Table' refused the row: "),
          ]);
          // A run of its own does not replace the rows of another one.
          await write(recordingDeadLetters());
          const sql = `SELECT count(*) AS n, count(DISTINCT millrace_run) AS runs, CAST(max(id) AS STRING) AS most,
            CAST(max(at) AS STRING) AS at, sum(price) AS price, min(detail.score) AS score, count_if(isnan(detail.score)) AS nan,
            max(hex(detail.bytes)) AS bytes FROM typed`;
          expect((await read(source({ sql }))).records).toEqual([
            {
              ...{ n: 4, runs: 2, most: String(2n ** 62n + 2n), at: '2024-02-29 12:00:00.002' },
              ...{ price: '4938271560.48', score: 0.5, nan: 2, bytes: '02' },
            },
          ]);
        },
        LIMIT_MS,
      );

      it(
        'cancels what an incarnation that died has begun, before it reads what is written',
        async () => {
          const context = { ...contextOfTest('Table'), runId: 'died' };
          const limits = { retryForMs: 1000, noProgressMs: 60_000 };
          const died = new SinkSession(connection(), 'It', context, limits);
          await died.begin();
          died.opened();
          // The server has the session and its settings, so the next statement begins at once.
          await died.execute('SELECT 1');
          const sleepLong = `SELECT reflect('java.lang.Thread', 'sleep', 60000L) AS x FROM range(1)`;
          const writing = died.execute(sleepLong).then(
            () => 'written',
            (error: unknown) => errorClassOf(error),
          );
          await sleep(2000);
          const next = new SparkSink<Item, keyof Item>({ ...connection(), table: 'after_death', columns });
          await next.open(context, { prepared: undefined, isAnew: false });
          // Read also by that incarnation, in case it still runs: it does not execute the statement again.
          expect(await writing).toBe('OPERATION_CANCELED');
          await next.close('completed');
          // The server refuses the id of a session that has ended, so a later incarnation has another one.
          const last = new SparkSink<Item, keyof Item>({ ...connection(), table: 'after_death', columns });
          await last.open(context, { prepared: undefined, isAnew: false });
          await last.close('completed');
          await died.end();
        },
        LIMIT_MS,
      );

      it('refuses a column with a name of the progress', () => {
        expect(() => sparkSink({ ...connection(), table: 't', columns: { Millrace_Run: 'STRING' } })).toThrow(
          "got 'Millrace_Run': names with millrace_ are for the progress",
        );
      });
    });

    it('cancels a query that is not over, and forgets it', async () => {
      const session = new SparkSession(connection());
      // One task would take minutes.
      const plan = {
        root: sqlRelation(
          'SELECT count(*) FROM range(0, 1000000000000, 1, 2) WHERE sha2(CAST(id AS STRING), 512) < id',
        ),
      };
      const limits = { retryForMs: 1000, noProgressMs: 60_000 };
      const execution = new Execution(session, plan, 'It', contextOfTest('Rows'), limits);
      const next = execution.next().catch(() => 'ended');
      await sleep(2000);
      await expect(execution.close()).resolves.toBe(true);
      await next;
      await expect(session.interrupt(execution.operationId)).resolves.toBe(false);
      await session.end();
      session.disconnect();
    });

    describe('with a statement per record', () => {
      it('passes values as arguments and returns the rows', async () => {
        await execute([0], { sql: 'CREATE TABLE members (id BIGINT, name STRING) USING parquet' });
        const members = [
          [1, "O'Hara"],
          [2, null],
        ] as const;
        await execute(members, {
          sql: 'INSERT INTO members VALUES (:id, :name)',
          args: ([id, name]: readonly [number, string | null]) => ({ id, name }),
          concurrency: 1,
        });
        const { outputs } = await execute([1, 2, 3], {
          sql: 'SELECT name FROM members WHERE id = :id',
          args: (id: number) => ({ id }),
          result: (rows) => rows,
        });
        expect(outputs).toEqual([[{ name: "O'Hara" }], [{ name: null }], []]);
      });

      it('ends the record whose values Spark refuses, and the run whose statement it refuses', async () => {
        const deadLetters = recordingDeadLetters();
        const divide = {
          sql: 'SELECT 6 / :by AS x',
          args: (by: number) => ({ by }),
          result: (rows: readonly object[]) => rows,
        };
        const { outputs } = await execute([2, 0, 3], divide, { deadLetters });
        expect(outputs).toEqual([[{ x: 3 }], [{ x: 2 }]]);
        expect(deadLetters.letters).toMatchObject([{ record: 0, code: 'MILLRACE_SQL' }]);
        await expect(execute([1], { sql: 'SELECT * FROM nowhere' })).rejects.toMatchObject({ code: 'MILLRACE_SQL' });
      });
    });

    it('does what the guide says', async () => {
      const guide = await readFile(join(ROOT, 'docs/spark.md'), 'utf8');
      // Inside of the package, so that `import 'millrace'` is the package itself.
      const folder = join(ROOT, 'build/spark-guide');
      await mkdir(folder, { recursive: true });
      const blocks = [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code as string);
      for (const [i, block] of blocks.entries()) {
        const code = block.replaceAll('sc://localhost:15002', remoteWithToken());
        const { outputText } = ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ES2023 } });
        const name = /^\/\/ ([a-z-]+)\.ts\n/.exec(code)?.[1];
        const file = join(folder, `${name ?? `block-${i + 1}`}.js`);
        await writeFile(file, outputText);
        if (name !== undefined) continue;
        const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: LIMIT_MS });
        expect(stdout.trimEnd().split('\n')).toEqual(
          [...code.matchAll(/^\/\/ prints: (.*)$/gm)].map((match) => match[1]),
        );
      }
      expect(blocks.length).toBeGreaterThan(3);
    }, 240_000);

    describe('with own code in executors', () => {
      const node = process.execPath;
      const SALES = `SELECT concat('shop ', id % 7) AS shop, (CAST(id AS DOUBLE) + 0.5D) / 7 AS amount, id FROM range(0, 3000, 1, 3)`;
      const work = { sql: SALES, key: 'shop', orderBy: ['id'], node } as const;

      it('folds to the same bits as in this process', async () => {
        const states = new Map<string, ReturnType<typeof shopTotals.init>>();
        for (let id = 0; id < 3000; id++) {
          const sale: Sale = { shop: `shop ${id % 7}`, amount: (id + 0.5) / 7 };
          states.set(sale.shop, shopTotals.add(states.get(sale.shop) ?? shopTotals.init(), sale));
        }
        const expected = [...states].map(([shop, state]) => shopTotals.finish(state, shop));
        const { records } = await read(onSpark(shopTotals, { ...connection(), ...work }));
        expect(records).toEqual(expected);
        const parts = await read(onSpark(shopTotals, { ...connection(), ...work, partitions: 2 }));
        expect(new Set(parts.records.map((record) => JSON.stringify(record)))).toEqual(
          new Set(expected.map((record) => JSON.stringify(record))),
        );
      });

      it('reports rows and results that were given up, and those that were skipped', async () => {
        const deadLetters = recordingDeadLetters();
        const rows = [
          ['a', 1],
          ['a', 13],
          ['b', -1],
          ['closed', 1],
        ].map(([shop, amount]) => `('${String(shop)}', ${String(amount)}D)`);
        const { records, summary } = await read(
          onSpark(shopTotals, {
            ...connection(),
            node,
            sql: `SELECT * FROM VALUES ${rows.join(', ')} AS t(shop, amount)`,
            key: 'shop',
            schema: SaleRow,
          }),
          { deadLetters },
        );
        expect(records).toMatchObject([{ shop: 'a', count: 1 }]);
        expect(deadLetters.letters).toMatchObject([
          { record: { shop: 'a', amount: 13 }, code: 'MILLRACE_TASK', message: expect.stringContaining('unlucky') },
          {
            record: { shop: 'b', amount: -1 },
            code: 'MILLRACE_INVALID_INPUT',
            message: expect.stringContaining('amount: expected no refund'),
          },
        ]);
        expect(summary.tasks['Rows']?.skipReasons).toEqual({ closed: 1 });
      });

      it('calls a function per row, whose output to the console disturbs nothing', async () => {
        const options = { ...connection(), node, sql: 'SELECT id FROM range(100)', key: 'id' };
        const { records } = await read(onSpark(negated({ factor: 2 }), options));
        const expected = Array.from({ length: 100 }, (_, id) => ({ id, value: -2 * id }));
        // In the order of the text of the key.
        expect(records).toEqual(expected.sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1)));
        expect(Object.is(records[0]?.value, -0)).toBe(true);
      });

      it('passes rows as they are, whatever separators, line ends and empty fields they contain', async () => {
        const texts = ['', 'a\tb\u0001c', 'x\r\ny\n', '\\N', '"{}', 'ünï\u2028'].map((text, id) => ({
          id,
          text,
          last: '',
        }));
        const selects = texts.map(
          ({ id, text }) =>
            `SELECT ${id} AS id, decode(X'${Buffer.from(text).toString('hex')}', 'UTF-8') AS text, '' AS last`,
        );
        const sql = [...selects, 'SELECT 6, NULL, NULL'].join(' UNION ALL ');
        const { records } = await read(onSpark(echo, { ...connection(), node, sql, key: 'id' }));
        expect(records).toEqual([...texts, { id: 6, text: null, last: null }]);
      });

      it('calls the code once per row', async () => {
        const file = join(server().folder, 'once.log');
        const options = { ...connection(), node, sql: 'SELECT id FROM range(0, 200, 1, 2)', key: 'id' };
        const { records } = await read(onSpark(noted({ file, delayMs: 0 }), options));
        expect(records).toHaveLength(200);
        // An order by ranges of keys would execute it a second time, for a sample.
        expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(200);
      });

      it('fails if code leaves its process, if the keys differ, or if a row has no key', async () => {
        const options = { ...connection(), node, sql: 'SELECT id FROM range(100)', key: 'id' };
        await expect(read(onSpark(leaving, options))).rejects.toMatchObject({ code: 'MILLRACE_SQL' });
        await expect(read(onSpark(foreignTotals, { ...connection(), ...work }))).rejects.toMatchObject({
          message: expect.stringContaining('The key of the aggregate is SHOP 0 where the column has shop 0'),
        });
        const sql = 'SELECT nullif(id, 5) AS id FROM range(10)';
        await expect(read(onSpark(negated({ factor: 1 }), { ...options, sql }))).rejects.toMatchObject({
          message: expect.stringContaining(`Expected column 'id' to contain a text or an integer`),
        });
      });

      it('notices rows that were not read', async () => {
        // The count of the rows and the rows themselves differ.
        const sql = 'SELECT id FROM range(1000) WHERE rand() < 0.5';
        await expect(
          read(onSpark(negated({ factor: 1 }), { ...connection(), node, sql, key: 'id' })),
        ).rejects.toMatchObject({ code: 'MILLRACE_CONSERVATION' });
      });

      it('gives its places back when the run is cancelled', async () => {
        const file = join(server().folder, 'noted.log');
        const ROWS = 1200;
        const options = { ...connection(), node, sql: `SELECT id FROM range(0, ${ROWS}, 1, 2)`, key: 'id' };
        const run = defineWorkflow({
          name: 'Cancelled',
          build: (flow) =>
            flow.task('Rows', onSpark(noted({ file, delayMs: 50 }), options)).task(
              'Keep',
              ['Rows'],
              sinkTask(() => undefined),
            ),
        }).run();
        const calls = (): readonly string[] => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);
        const processes = (): ReadonlySet<number> => new Set(calls().map((line) => Number.parseInt(line, 10)));
        // Both workers.
        while (processes().size < 2) await sleep(50);
        run.cancel();
        expect(await run.finished).toMatchObject({ outcome: 'cancelled' });
        await read(source({ sql: 'SELECT count(*) AS n FROM range(0, 10, 1, 2)' }));
        expect(calls().length).toBeLessThan(ROWS);
        for (const id of processes()) {
          try {
            process.kill(id, 'SIGKILL');
          } catch {
            // It has ended by itself.
          }
        }
      });
    });

    // The last ones: they kill an executor.
    describe('on its cluster', () => {
      clusterCases(server, remoteWithToken);
    });
  },
  {
    workers: 2,
    environment: { SPARK_CONNECT_AUTHENTICATE_TOKEN: TOKEN },
    settings: { 'spark.driver.maxResultSize': '1500k' },
  },
);

/** Forwards connections, and breaks each after some bytes of the server, up to a number of times. */
class CuttingProxy {
  cuts = 0;
  whenFirstCut = (): void => undefined;
  private readonly server = createServer();
  private readonly sockets = new Set<Socket>();

  static async start(port: number, bytes: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy();
    proxy.server.on('connection', (client) => {
      const upstream = connect(port, '127.0.0.1');
      let passed = 0;
      for (const socket of [client, upstream]) {
        proxy.sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          client.destroy();
          upstream.destroy();
        });
      }
      client.pipe(upstream);
      upstream.on('data', (data) => {
        passed += data.length;
        if (passed > bytes) {
          client.destroy();
          if (proxy.cuts++ === 0) proxy.whenFirstCut();
        } else client.write(data);
      });
    });
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get remote(): string {
    return `sc://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}
