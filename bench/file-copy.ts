/** A file to a file through a task: what checkpoints cost most, because there is little else to do a record. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  asyncTask,
  checkpointFile,
  csvSink,
  csvSource,
  deadLetterFile,
  defineWorkflow,
  type RunOptions,
} from 'millrace';

/** Copies `records` rows; with checkpoints at the default interval, or with none. Gives the rows written. */
export async function copyFile(records: number, hasCheckpoints: boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  try {
    const path = join(folder, 'in.csv');
    const rows = Array.from({ length: records }, (_, n) => `${n},${n % 97},reading ${n % 13}`);
    writeFileSync(path, `id,value,text\n${rows.join('\n')}\n`);
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
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
