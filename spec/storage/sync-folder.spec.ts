import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fstatSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deadLetterFile } from 'millrace/storage';
import type { DeadLetter } from 'millrace';
import { openCsvWriter } from '#lib/connectors/csv/csv-writer.js';

let folder = '';
let restore: () => void;
/** What was synced, in order: the folder, or a file in it. */
let synced: ('folder' | 'file')[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-names-'));
  const { ino } = statSync(folder);
  synced = [];
  const any = await open(folder, 'r');
  const prototype = Object.getPrototypeOf(any) as Pick<FileHandle, 'sync' | 'datasync'>;
  await any.close();
  const { sync, datasync } = prototype;
  const watched = (original: () => Promise<void>) =>
    async function (this: FileHandle): Promise<void> {
      const isFolder = fstatSync(this.fd).ino === ino;
      await original.call(this);
      synced.push(isFolder ? 'folder' : 'file');
    };
  Object.assign(prototype, { sync: watched(sync), datasync: watched(datasync) });
  restore = () => Object.assign(prototype, { sync, datasync });
});
afterEach(() => {
  restore();
  rmSync(folder, { recursive: true, force: true });
});

const letter = (number: number): DeadLetter => ({
  runId: 'r',
  task: 'T',
  lineage: { root: 'S', partition: 0, number },
  record: number,
  attempts: 1,
  code: 'MILLRACE_TASK',
  message: 'no',
  firstAt: 1,
  lastAt: 1,
});

describe('a name that a checkpoint counts on', () => {
  it('is durable before the first point of a new result', async () => {
    const writer = await openCsvWriter({ path: join(folder, 'a.csv'), columns: ['n'] });
    await writer.persist();
    expect(synced).toEqual(['folder', 'file']);
    await writer.abandon();
  });

  it('is durable, with what is in it, where a result that had its name already is gone on with', async () => {
    const path = join(folder, 'a.csv');
    const writer = await openCsvWriter({ path, columns: ['n'] });
    const from = await writer.persist();
    await writer.abandon();
    renameSync(`${path}.part`, path);
    synced = [];
    const next = await openCsvWriter({ path, columns: ['n'], from });
    expect(synced).toEqual(['file', 'folder']);
    await next.abandon();
  });

  it('is durable before the first position of dead letters, and before a checkpoint names those that were kept', async () => {
    const path = join(folder, 'letters.ndjson');
    const store = deadLetterFile(path);
    store.write(letter(1));
    store.write(letter(2));
    const position = await store.durable?.persist();
    expect(synced).toEqual(['folder', 'file']);
    await store.close();
    synced = [];
    const next = deadLetterFile(path);
    await next.durable?.rewind(position ?? null, ({ lineage }) => lineage.number === 2, 'r');
    expect(synced).toEqual(['file', 'folder']);
    await next.durable?.commit();
    await next.close();
  });

  it('is gone for good where a resumed run has no dead letters', async () => {
    const path = join(folder, 'letters.ndjson');
    writeFileSync(path, `${JSON.stringify(letter(1))}\n`);
    await deadLetterFile(path).durable?.rewind(null, () => true, 'r');
    expect(synced).toEqual(['folder']);
  });
});
