/** An input that another program changes while it is read fails the run, however it is read. */
import { appendFile, mkdtemp, open, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask } from '#lib/index.js';
import { csvSource } from '#lib/connectors/csv/index.js';
import { openCsvReader } from '#lib/connectors/csv/csv-reader.js';
import { planParts } from '#lib/connectors/csv/plan-parts.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'changed-input-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ROWS = `a,b\n${'1,2\n'.repeat(50_000)}`;

const CHANGES: readonly [how: string, change: (path: string) => Promise<unknown>, reason: string][] = [
  ['extended', (path) => appendFile(path, '3,4\n'), 'it had 200004 bytes, and now has 200008'],
  ['cut', (path) => truncate(path, 4), 'and now has 4'],
  ['overwritten in place', (path) => overwrite(path), 'it was written to'],
  ['replaced by another', (path) => replace(path), 'another file took its place'],
  ['removed', (path) => rm(path), 'it was removed'],
];

async function overwrite(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.write('9,9\n', 100_004);
  await file.close();
  // A clock that ticks slowly would hide a write in the same tick.
  await utimes(path, new Date(), new Date(Date.now() + 1000));
}

async function replace(path: string): Promise<void> {
  await writeFile(`${path}.new`, ROWS);
  await rename(`${path}.new`, path);
}

async function drain(reader: Awaited<ReturnType<typeof openCsvReader>>): Promise<void> {
  while ((await reader.read(5000)) !== null);
}

describe('an input', () => {
  it.each(CHANGES)('that is %s while it is read is an error', async (_, change, reason) => {
    const path = join(folder, 'in.csv');
    await writeFile(path, ROWS);
    const reader = await openCsvReader({ path, chunkBytes: 1024 });
    await reader.read(1);
    await change(path);
    await expect(drain(reader)).rejects.toMatchObject({
      code: 'MILLRACE_FILE',
      message: expect.stringContaining(reason),
    });
  });

  it('that changes fails the run, and the message says what to do', async () => {
    const path = join(folder, 'run.csv');
    await writeFile(path, ROWS);
    let seen = 0;
    const flow = defineWorkflow({
      name: 'Seen',
      build: (it) =>
        it.task('Read', csvSource({ path })).task(
          'See',
          ['Read'],
          sinkTask(async () => {
            if (seen++ === 0) await appendFile(path, '3,4\n');
          }),
        ),
    });
    await expect(flow.run(undefined, { window: 64 }).finished).rejects.toThrow(
      'Run again when no program writes to it, or read a copy',
    );
  });

  it('in gzip that changes is an error of the change, not of gzip', async () => {
    const path = join(folder, 'in.csv.gz');
    const random = Array.from({ length: 20_000 }, (_, i) => `${Math.imul(i, 2_654_435_761)},2\n`).join('');
    await writeFile(path, gzipSync(`a,b\n${random}`));
    const reader = await openCsvReader({ path, chunkBytes: 1024 });
    await reader.read(1);
    await truncate(path, 5000);
    await expect(drain(reader)).rejects.toThrow('changed while it was read');
  });

  it('that changes between the planning of its parts and their reading is an error', async () => {
    const path = join(folder, 'parts.csv');
    await writeFile(path, ROWS);
    const { version, parts, columns } = await planParts({ path }, ROWS.length, 50_000);
    await appendFile(path, '3,4\n');
    const [{ start, end } = { start: 0, end: 0 }] = parts;
    await expect(openCsvReader({ path, version, byteRange: { start, end }, headerNames: columns })).rejects.toThrow(
      'changed while it was read',
    );
  });

  it('that stays the same, also when it is read in part or closed early, is none', async () => {
    const path = join(folder, 'same.csv');
    await writeFile(path, ROWS);
    await drain(await openCsvReader({ path }));
    await drain(await openCsvReader({ path, byteRange: { start: 4, end: 400 }, headerNames: ['a', 'b'] }));
    const early = await openCsvReader({ path, chunkBytes: 1024 });
    await early.read(1);
    await appendFile(path, '3,4\n');
    await early.close();
    expect(await early.read(1)).toBeNull();
  });
});
