/**
 * One record to many and back: each folder is expanded to its files, the files are read concurrently, and the lines of
 * a folder are added up after its last file.
 *
 * `node build/examples/folder-sizes.js docs lib`
 */
import { createReadStream } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { asyncTask, defineWorkflow, expandTask, sourceTask, syncTask } from 'millrace';

const [, , ...folders] = process.argv;
if (folders.length === 0) {
  console.error('Name the folders: node build/examples/folder-sizes.js docs lib');
  process.exit(2);
}

/** The engine pulls a generator only while there is room: a folder of a million files is never held in memory. */
async function* filesOf(folder: string): AsyncGenerator<string> {
  for await (const entry of await opendir(folder)) if (entry.isFile()) yield join(folder, entry.name);
}

async function countLines(path: string): Promise<number> {
  let lines = 0;
  for await (const chunk of createReadStream(path, 'latin1')) lines += (chunk as string).split('\n').length - 1;
  return lines;
}

const FolderSizes = defineWorkflow({
  name: 'FolderSizes',
  build: (flow) =>
    flow
      .task('Folders', sourceTask(folders))
      .task('Files', ['Folders'], expandTask(filesOf))
      // A file that cannot be read becomes a dead letter; the others continue.
      .task(
        'Lines',
        ['Files'],
        asyncTask(async (path: string) => ({ path, lines: await countLines(path) }), { concurrency: 16 }),
      )
      .task(
        'Total',
        ['Lines'],
        { join: 'gather' },
        syncTask((files) => ({
          files: files.length,
          lines: files.reduce((sum, { lines }) => sum + lines, 0),
        })),
      ),
});

const run = FolderSizes.run();
run.output$('Total').subscribe(({ files, lines }) => {
  console.log(`${files} files, ${lines} lines`);
});
await run.finished;
