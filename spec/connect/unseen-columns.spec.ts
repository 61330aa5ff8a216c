/** Columns of a result that no record had. */
import { expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineWorkflow, sourceTask, type Task } from 'millrace';
import { csvSink } from 'millrace/csv';
import { parquetSink } from 'millrace/duckdb';
import { sqliteSink, sqlStatement } from 'millrace/sqlite';

type MakeSink = (path: string, columns: readonly string[]) => Task<object, object>;
const csv: MakeSink = (path, columns) => csvSink({ path, columns });
const parquet: MakeSink = (path, columns) =>
  parquetSink({ path: `${path}.parquet`, columns: Object.fromEntries(columns.map((name) => [name, 'VARCHAR'])) });
const sqlite: MakeSink = (path, columns) => sqliteSink({ path, table: 'offers', columns });

/** The notices of a run that writes these records. */
async function noticesOf(
  records: readonly object[],
  columns: readonly string[],
  sink: MakeSink = csv,
): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-columns-'));
  try {
    const path = join(folder, 'table.csv');
    if (sink === sqlite) await createTable(path, columns);
    const run = defineWorkflow({
      name: 'Write',
      build: (flow) => flow.task('Records', sourceTask(records)).task('Table', ['Records'], sink(path, columns)),
    }).run();
    const notices: string[] = [];
    run.events$.subscribe((event) => {
      if (event.type === 'notice') notices.push(event.message);
    });
    await run.finished;
    return notices;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function createTable(path: string, columns: readonly string[]): Promise<void> {
  const sql = `CREATE TABLE offers (${columns.map((name) => `"${name}" TEXT`).join(', ')})`;
  await defineWorkflow({
    name: 'Create',
    build: (flow) => flow.task('Once', sourceTask([0])).task('Create', ['Once'], sqlStatement({ path, sql })),
  }).run().finished;
}

it.each([
  ['CSV', csv],
  ['Parquet', parquet],
  ['SQLite', sqlite],
])('a column that no record has is reported at the end, with the name that was probably meant: %s', async (_, sink) => {
  const records = [{ id: 'a', offer: 'gold' }, { id: 'b' }];
  expect(await noticesOf(records, ['id', 'ofer', 'toString'], sink)).toEqual([
    "No record that 'Table' wrote had the column 'ofer', so it is empty. Did you mean 'offer'?",
    "No record that 'Table' wrote had the column 'toString', so it is empty",
  ]);
});

it('a column that only some records have, or that is a getter, is as it should be', async () => {
  class Offer {
    readonly id = 3;
    get note(): string {
      return 'late';
    }
  }
  expect(await noticesOf([{ id: 1 }, new Offer()], ['id', 'note'])).toEqual([]);
  expect(await noticesOf([{ id: 1, note: undefined }], ['id', 'note'])).toEqual([]);
  expect(await noticesOf([], ['id', 'note'])).toEqual([]);
});
