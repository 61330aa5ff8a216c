/** Values that a Parquet file, or a record, would hold only rounded or damaged. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask, sourceTask } from 'millrace';
import { duckdbSource, parquetSink, parquetSource } from 'millrace/duckdb';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-exact-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Writes the values to one column, and reads the file. */
async function roundTrip(type: string, values: readonly unknown[]): Promise<unknown[]> {
  const path = join(folder, `${type}.parquet`);
  await defineWorkflow({
    name: 'Write',
    build: (flow) =>
      flow
        .task('Values', sourceTask(values.map((v) => ({ v }))))
        .task('File', ['Values'], parquetSink({ path, columns: { v: type } })),
  }).run().finished;
  const read: unknown[] = [];
  await defineWorkflow({
    name: 'Read',
    build: (flow) =>
      flow.task('Rows', parquetSource({ path })).task(
        'Collect',
        ['Rows'],
        sinkTask((row) => void read.push((row as { v: unknown }).v)),
      ),
  }).run().finished;
  return read;
}

describe('values of Parquet', () => {
  it('a column of JSON refuses what JSON would change, and what DuckDB could not read again', async () => {
    const values = [
      { a: NaN },
      new Map([[1, 2]]),
      [undefined],
      '\ud800',
      { a: '\udc00' },
      '\\ud800',
      { b: [1] },
      '\u{1f600}',
    ];
    expect(await roundTrip('JSON', values)).toEqual(['\\ud800', { b: [1] }, '\u{1f600}']);
  });

  it('a HUGEINT, which Parquet stores as a DOUBLE, is refused if that rounds it', async () => {
    expect(await roundTrip('HUGEINT', [2n ** 100n, 2n ** 100n + 1n, 7n, 2n ** 53n + 1n])).toEqual([2 ** 100, 7]);
  });
});

it('an integer of JSON that a number cannot hold is read as a bigint', async () => {
  const rows: unknown[] = [];
  await defineWorkflow({
    name: 'Query',
    build: (flow) =>
      flow
        .task(
          'Rows',
          duckdbSource({ sql: `SELECT '{"a": [9007199254740993, 1.5, "9007199254740993"]}'::JSON AS j`, files: {} }),
        )
        .task(
          'Collect',
          ['Rows'],
          sinkTask((row) => void rows.push(row)),
        ),
  }).run().finished;
  expect(rows).toEqual([{ j: { a: [9007199254740993n, 1.5, '9007199254740993'] } }]);
});
