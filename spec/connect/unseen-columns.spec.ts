/** Columns of a result that no record had. */
import { expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineWorkflow, sourceTask } from 'millrace';
import { csvSink } from 'millrace/csv';

/** The notices of a run that writes these records. */
async function noticesOf(records: readonly object[], columns: readonly string[]): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-columns-'));
  try {
    const run = defineWorkflow({
      name: 'Write',
      build: (flow) =>
        flow
          .task('Records', sourceTask(records))
          .task('Table', ['Records'], csvSink({ path: join(folder, 'table.csv'), columns })),
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

it('a column that no record has is reported at the end, with the name that was probably meant', async () => {
  expect(await noticesOf([{ id: 1, offer: 'gold' }, { id: 2 }], ['id', 'ofer', 'toString'])).toEqual([
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
