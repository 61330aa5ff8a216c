/** Each common type of DuckDB: how its values are read, and that a Parquet file gives the same value back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { defineWorkflow, syncTask, type SourceTask } from 'millrace';
import { duckdbSource, parquetSink, parquetSource } from 'millrace/duckdb';
import { recordingDeadLetters } from 'millrace/testing';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-types-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

type Row = Readonly<Record<string, unknown>>;

/** A value in SQL, the value in a record, and the type of the column in Parquet; default: its own. */
type Case = readonly [sql: string, value: unknown, column?: string];

const CASES: readonly Case[] = [
  ['true', true, 'BOOLEAN'],
  ['(-128)::TINYINT', -128, 'TINYINT'],
  ['255::UTINYINT', 255, 'UTINYINT'],
  ['(-32768)::SMALLINT', -32_768, 'SMALLINT'],
  ['2147483647', 2_147_483_647, 'INTEGER'],
  ['4294967295::UINTEGER', 4_294_967_295, 'UINTEGER'],
  ['9007199254740993', 9_007_199_254_740_993n, 'BIGINT'],
  ['18446744073709551615::UBIGINT', 2n ** 64n - 1n, 'UBIGINT'],
  ['0.1::DOUBLE', 0.1, 'DOUBLE'],
  ["'-infinity'::DOUBLE", -Infinity, 'DOUBLE'],
  ["'nan'::DOUBLE", NaN, 'DOUBLE'],
  ["'-0.0'::DOUBLE", -0, 'DOUBLE'],
  ['0.1::FLOAT', Math.fround(0.1), 'FLOAT'],
  ["'-0.05'::DECIMAL(4, 2)", '-0.05', 'DECIMAL(4, 2)'],
  ["'12345678901234567890.123456789'::DECIMAL(38, 9)", '12345678901234567890.123456789', 'DECIMAL(38, 9)'],
  ["'é' || chr(0)", 'é\0', 'VARCHAR'],
  ["''", '', 'VARCHAR'],
  ["'\\xAA\\x00'::BLOB", new Uint8Array([0xaa, 0]), 'BLOB'],
  ["DATE '2024-02-29'", '2024-02-29', 'DATE'],
  ["DATE 'infinity'", 'infinity', 'DATE'],
  ["DATE '-infinity'", '-infinity', 'DATE'],
  ["DATE '0044-03-15 (BC)'", '0044-03-15 (BC)', 'DATE'],
  ["DATE '12024-12-31'", '12024-12-31', 'DATE'],
  ["DATE '0001-01-01'", '0001-01-01', 'DATE'],
  ["TIME '12:34:56.000009'", '12:34:56.000009', 'TIME'],
  ["TIME '24:00:00'", '24:00:00', 'TIME'],
  ["TIMESTAMP '1969-12-31 23:59:59.999'", new Date(-1), 'TIMESTAMP'],
  ["TIMESTAMP 'infinity'", Infinity, 'TIMESTAMP'],
  ["TIMESTAMPTZ '-infinity'", -Infinity, 'TIMESTAMPTZ'],
  ["TIMESTAMPTZ '2024-02-29 12:00:00+02'", new Date('2024-02-29T10:00:00.000Z'), 'TIMESTAMPTZ'],
  ["'2024-02-29 12:00:01'::TIMESTAMP_S", new Date('2024-02-29T12:00:01.000Z'), 'TIMESTAMP'],
  ["'9d2a3b0c-0000-4000-8000-00000000000f'::UUID", '9d2a3b0c-0000-4000-8000-00000000000f', 'UUID'],
  ["'ffffffff-ffff-ffff-ffff-ffffffffffff'::UUID", 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'UUID'],
  ["'b'::ENUM('a', 'b')", 'b', 'VARCHAR'],
  ["'101'::BIT", '101', 'VARCHAR'],
  ["INTERVAL '1 month -2 days 03:04:05.678'", '1 month -2 days 03:04:05.678', 'VARCHAR'],
  ["TIMETZ '12:00:00+02'", '12:00:00+02', 'VARCHAR'],
  ['[1, NULL, 3]', [1, null, 3], 'INTEGER[]'],
  ['[1, 2]::INTEGER[2]', [1, 2], 'INTEGER[]'],
  ["[DATE 'infinity']", ['infinity'], 'DATE[]'],
  ["{a: 1, b: ['x'], c: NULL}", { a: 1, b: ['x'], c: null }, 'STRUCT(a INTEGER, b VARCHAR[], c INTEGER)'],
  ["MAP {'k': 1}", [{ key: 'k', value: 1 }], 'JSON'],
  [`'{"a": [1]}'::JSON`, { a: [1] }, 'JSON'],
];
const columns = Object.fromEntries(CASES.map(([, , type], i) => [`v${i}`, type as string]));

interface Outcome {
  readonly rows: Row[];
  readonly letters: readonly string[];
}

/** Reads the rows of a source, and writes them. */
async function copy(source: SourceTask<Row>, to: Parameters<typeof parquetSink<Row, string>>[0]): Promise<Outcome> {
  const rows: Row[] = [];
  const deadLetters = recordingDeadLetters();
  const keep = syncTask((row: Row) => {
    rows.push(row);
    return row;
  });
  await defineWorkflow({
    name: 'Types',
    build: (flow) => flow.task('Rows', source).task('Keep', ['Rows'], keep).task('File', ['Keep'], parquetSink(to)),
  }).run(undefined, { deadLetters }).finished;
  return { rows, letters: deadLetters.letters.map(({ message }) => message) };
}

const queryOf = (sql: string): SourceTask<Row> => duckdbSource<Row>({ sql, files: {}, replayable: true });
const shown = (row: Row | undefined): readonly unknown[] => CASES.map(([sql], i) => [sql, row?.[`v${i}`]]);

it('a value of each type is read in one form, written to a Parquet file, and read again', async () => {
  const [path, second] = [join(folder, 'types.parquet'), join(folder, 'again.parquet')];
  const sql = `SELECT ${CASES.map(([sql], i) => `${sql} AS v${i}`).join(', ')}`;
  const { rows, letters } = await copy(queryOf(sql), { path, columns });
  expect(letters).toEqual([]);
  const expected = CASES.map(([sql, value]) => [sql, value]);
  expect(shown(rows[0])).toEqual(expected);
  const again = await copy(parquetSource<Row>({ path }), { path: second, columns });
  expect(shown(again.rows[0])).toEqual(expected);
});

it('texts that are no time, date or UUID are refused', async () => {
  const bad: readonly (readonly [type: string, value: unknown])[] = [
    ['TIME', '24:00:00.000001'],
    ['TIME', '12:60:00'],
    ['TIME', '1:00'],
    ['DATE', '2023-02-29'],
    ['DATE', '0000-01-01'],
    ['DATE', 'Infinity'],
    ['DATE', '2024-02-29 BC'],
    ['DATE', '999999-01-01'],
    ['UUID', '9d2a3b0c00004000800000000000000f'],
    ['TIMESTAMP', NaN],
  ];
  const { letters } = await copy(queryOf(`SELECT unnest(generate_series(0, ${bad.length - 1})) AS i`), {
    path: join(folder, 'bad.parquet'),
    columns: Object.fromEntries(bad.map(([type], i) => [`c${i}`, type])),
    row: ({ i }) => ({ [`c${String(i)}`]: bad[Number(i)]?.[1] }),
  });
  expect(letters).toHaveLength(bad.length);
});

it('an instant that no Date can hold fails the run, and the message names the remedy', async () => {
  const run = copy(queryOf(`SELECT TIMESTAMP '290000-01-01' AS v`), { path: join(folder, 'none.parquet'), columns });
  await expect(run).rejects.toMatchObject({
    code: 'MILLRACE_SQL',
    message: expect.stringMatching(/No Date can hold 290000-01-01.*CAST\(… AS VARCHAR\)/),
  });
});
