/**
 * Each common type of PostgreSQL: how its values are read, and that a sink writes the same value into a column of the
 * type. The settings of the user do not change the texts.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask, syncTask } from 'millrace';
import { postgresSink, postgresSource, sqlStatement } from 'millrace/postgres';
import { describeWithPostgres } from '../../support/describe-with-postgres.js';
import { PostgresServer } from '../../support/postgres-server.js';

/** A type, a literal of it, and the value in a record. */
type Case = readonly [type: string, literal: string, value: unknown];

const CASES: readonly Case[] = [
  ['smallint', '-32768', -32_768],
  ['integer', '2147483647', 2_147_483_647],
  ['bigint', '9007199254740993', '9007199254740993'],
  ['numeric', '0.10', '0.10'],
  ['numeric', 'NaN', 'NaN'],
  ['numeric', '-Infinity', '-Infinity'],
  ['money', '$1,234.50', '$1,234.50'],
  ['real', '0.1', 0.1],
  ['double precision', '0.1', 0.1],
  ['double precision', '-Infinity', -Infinity],
  ['double precision', 'NaN', NaN],
  ['boolean', 'true', true],
  ['text', 'é "\\ {}', 'é "\\ {}'],
  ['text', '', ''],
  ['varchar(3)', 'abc', 'abc'],
  ['char(3)', 'a', 'a  '],
  ['name', 'n', 'n'],
  ['bytea', '\\x00ff5c', Buffer.from([0, 255, 92])],
  ['date', '2024-02-29', '2024-02-29'],
  ['date', 'infinity', 'infinity'],
  ['date', '-infinity', '-infinity'],
  ['date', '0044-03-15 BC', '0044-03-15 BC'],
  ['time', '24:00:00', '24:00:00'],
  ['time', '12:34:56.123456', '12:34:56.123456'],
  ['timetz', '12:34:56.5+02', '12:34:56.5+02'],
  ['timestamp', '2024-02-29 12:34:56.789', new Date('2024-02-29T12:34:56.789Z')],
  ['timestamp', '-infinity', -Infinity],
  ['timestamptz', '1969-12-31 23:59:59.999+00', new Date(-1)],
  ['timestamptz', 'infinity', Infinity],
  ['interval', '1 year 2 mons 3 days 04:05:06.789012', 'P1Y2M3DT4H5M6.789012S'],
  ['interval', '-1 day +02:03:04', 'P-1DT2H3M4S'],
  ['interval', '-00:00:00.000001', 'PT-0.000001S'],
  ['interval', '0', 'PT0S'],
  ['uuid', '9d2a3b0c-0000-4000-8000-000000000001', '9d2a3b0c-0000-4000-8000-000000000001'],
  ['inet', '192.168.0.1/24', '192.168.0.1/24'],
  ['cidr', '2001:db8::/32', '2001:db8::/32'],
  ['macaddr', '08:00:2b:01:02:03', '08:00:2b:01:02:03'],
  ['bit(3)', '101', '101'],
  ['varbit', '10', '10'],
  ['oid', '4294967295', 4_294_967_295],
  ['json', '{"a":[1,"x",null]}', { a: [1, 'x', null] }],
  ['jsonb', '"text"', 'text'],
  ['jsonb', '0', 0],
  ['jsonb', '[]', []],
  ['xml', '<a>1</a>', '<a>1</a>'],
  ['tsvector', "'a':1 'b':2", "'a':1 'b':2"],
  ['point', '(0.1,-2)', '(0.1,-2)'],
  ['line', '{1,2,3}', '{1,2,3}'],
  ['lseg', '[(0,0),(1,1)]', '[(0,0),(1,1)]'],
  ['box', '(1,1),(0,0)', '(1,1),(0,0)'],
  ['path', '((0,0),(1,1))', '((0,0),(1,1))'],
  ['polygon', '((0,0),(1,1),(1,0))', '((0,0),(1,1),(1,0))'],
  ['circle', '<(0.1,2),3>', '<(0.1,2),3>'],
  ['int4range', '[1,5)', '[1,5)'],
  ['tstzrange', '["2024-01-01 00:00:00+00",)', '["2024-01-01 00:00:00+00",)'],
  ['int8multirange', '{[1,3),[5,9)}', '{[1,3),[5,9)}'],
  ['mood', 'so-so', 'so-so'],
  ['positive', '5', 5],
  ['pair', '(1,"a,b")', '(1,"a,b")'],
  [
    'integer[]',
    '{{1,2},{3,NULL}}',
    [
      [1, 2],
      [3, null],
    ],
  ],
  ['integer[]', '{}', []],
  ['bigint[]', '{9007199254740993}', ['9007199254740993']],
  ['numeric[]', '{0.10,NaN}', ['0.10', 'NaN']],
  ['double precision[]', '{0.1,Infinity}', [0.1, Infinity]],
  ['boolean[]', '{t,f}', [true, false]],
  ['text[]', '{"a\\"b","",NULL,"NULL","{}"}', ['a"b', '', null, 'NULL', '{}']],
  ['bytea[]', '{"\\\\x00ff"}', [Buffer.from([0, 255])]],
  ['date[]', '{2024-02-29,infinity}', ['2024-02-29', 'infinity']],
  ['timestamptz[]', '{"1970-01-01 00:00:00+00",infinity}', [new Date(0), Infinity]],
  ['interval[]', '{"1 mon -1 days",NULL}', ['P1M-1D', null]],
  ['uuid[]', '{9d2a3b0c-0000-4000-8000-000000000001}', ['9d2a3b0c-0000-4000-8000-000000000001']],
  ['jsonb[]', '{"{\\"a\\": [1]}"}', [{ a: [1] }]],
  ['point[]', '{"(1,2)","(3,4)"}', ['(1,2)', '(3,4)']],
  // pg does not know these lists, so they are the text of the server.
  ['box[]', '{(1,1),(0,0)}', '{(1,1),(0,0)}'],
  ['mood[]', '{so-so,"very good"}', '{so-so,"very good"}'],
];

describeWithPostgres('a value of PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
    // Settings of the user that change the texts of values.
    await server.sql(`CREATE TYPE mood AS ENUM ('so-so', 'very good'); CREATE TYPE pair AS (a int, b text);
      CREATE DOMAIN positive AS int CHECK (value > 0);
      ALTER ROLE postgres SET intervalstyle = 'sql_standard'; ALTER ROLE postgres SET datestyle = 'SQL, DMY'`);
  }, 120_000);
  afterAll(async () => {
    await server.stop();
  });

  const columns = CASES.map((_, i) => `v${i}`);

  it.each(['insert', 'copy'] as const)('is read in one form, and written by %s as the same value', async (mode) => {
    const types = CASES.map(([type], i) => `v${i} ${type}`).join(', ');
    const literals = CASES.map(([, literal]) => `'${literal.replaceAll("'", "''")}'`).join(', ');
    await server.sql(`DROP TABLE IF EXISTS given, copy; CREATE TABLE given (id int, ${types});
      CREATE TABLE copy (LIKE given); SET timezone = 'UTC'; SET datestyle = 'ISO';
      INSERT INTO given VALUES (1, ${literals}), (2, ${columns.map(() => 'NULL').join(', ')})`);
    const rows: Readonly<Record<string, unknown>>[] = [];
    await defineWorkflow({
      name: 'Copy',
      build: (flow) =>
        flow
          .task('Rows', postgresSource({ connection: server.url, query: 'SELECT * FROM given', keyset: ['id'] }))
          .task(
            'Keep',
            ['Rows'],
            syncTask((row: Readonly<Record<string, unknown>>) => {
              rows.push(row);
              return row;
            }),
          )
          .task(
            'Copy',
            ['Keep'],
            postgresSink({ connection: server.url, table: 'copy', columns: ['id', ...columns], mode }),
          ),
    }).run().finished;
    const shown = (valueOf: (i: number) => unknown): readonly unknown[] =>
      CASES.map(([type, literal], i) => [type, literal, valueOf(i)]);
    expect(shown((i) => rows[0]?.[`v${i}`])).toEqual(shown((i) => CASES[i]?.[2]));
    const compared = columns.map((name) => `array_agg(${name}::text ORDER BY id) AS ${name}`).join(', ');
    const [given] = await server.sql(`SELECT ${compared} FROM given`);
    const [copy] = await server.sql(`SELECT ${compared} FROM copy`);
    expect(shown((i) => copy?.[`v${i}`])).toEqual(shown((i) => given?.[`v${i}`]));
  });

  it('has the same form in the result of a statement', async () => {
    const found: unknown[] = [];
    await defineWorkflow({
      name: 'Ask',
      build: (flow) =>
        flow
          .task('Rows', postgresSource({ connection: server.url, query: 'SELECT 1 AS id', keyset: ['id'] }))
          .task(
            'Ask',
            ['Rows'],
            sqlStatement({
              connection: server.url,
              sql: `SELECT '1 day -00:00:01'::interval AS i, '2024-02-03'::date AS d, '(1,2)'::point AS p`,
              result: (rows) => rows,
            }),
          )
          .task(
            'Keep',
            ['Ask'],
            sinkTask((row) => void found.push(row)),
          ),
    }).run().finished;
    expect(found).toEqual([[{ i: 'P1DT-1S', d: '2024-02-03', p: '(1,2)' }]]);
  });
});
