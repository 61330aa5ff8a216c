/** Rows through `csvSink`. The checksum is the size of the file. */
import { statSync } from 'node:fs';
import { defineWorkflow, sourceTask } from 'millrace';
import { csvSink } from 'millrace/csv';
import { COLUMNS, rowsToWrite, writtenFile } from '../csv-rows.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => {
  const workflow = defineWorkflow({
    name: 'Write',
    build: (flow) =>
      flow
        .task('Rows', sourceTask(rowsToWrite(records)))
        .task('Load', ['Rows'], csvSink({ path: writtenFile, columns: COLUMNS })),
  });
  await workflow.run().finished;
  return statSync(writtenFile).size;
};
