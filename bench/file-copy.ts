/** A copy of a file through a task: the case in which checkpoints cost most, because the work per record is small. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncTask, defineWorkflow, type RunOptions } from 'millrace';
import { checkpointFile, deadLetterFile } from 'millrace/storage';
import { csvSink, csvSource } from 'millrace/csv';

const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
process.once('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});
const written = new Set<string>();
const ROWS_A_WRITE = 10_000;

/** Copies `records` rows, with checkpoints at the default interval or with none. Returns the number of rows written. */
export async function copyFile(records: number, hasCheckpoints: boolean): Promise<number> {
  const path = inputFile(records);
  const columns = ['id', 'value', 'text'] as const;
  const flow = defineWorkflow({
    name: 'Copy',
    build: (builder) =>
      builder
        .task('Read', csvSource({ path, columns }))
        .task(
          'Look',
          ['Read'],
          asyncTask((row: Record<string, string>) => Promise.resolve(row)),
        )
        .task('Write', ['Look'], csvSink({ path: join(folder, 'out.csv'), columns })),
  });
  const options: RunOptions = hasCheckpoints
    ? {
        checkpoints: checkpointFile(join(folder, 'checkpoint.json')),
        deadLetters: deadLetterFile(join(folder, 'dead-letters.ndjson')),
      }
    : {};
  const summary = await flow.run(undefined, options).finished;
  return summary.tasks['Write']?.out ?? 0;
}

/** Created once per process and size: a warm-up of the same size keeps this write out of the samples. */
function inputFile(records: number): string {
  const path = join(folder, `${records}.csv`);
  if (written.has(path)) return path;
  writeFileSync(path, 'id,value,text\n');
  for (let from = 0; from < records; from += ROWS_A_WRITE) {
    const count = Math.min(ROWS_A_WRITE, records - from);
    const rows = Array.from({ length: count }, (_, at) => `${from + at},${at % 97},reading ${at % 13}\n`);
    appendFileSync(path, rows.join(''));
  }
  written.add(path);
  return path;
}
