import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCsvWriter } from '#lib/connectors/csv/csv-writer.js';
import { syncAll, syncData } from '#lib/storage/sync-data.js';
import { syncFolder } from '#lib/storage/sync-folder.js';

let folder = '';
let prototype: Pick<FileHandle, 'sync' | 'datasync'>;
let restore: () => void;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-sync-'));
  const any = await open(folder, 'r');
  prototype = Object.getPrototypeOf(any) as Pick<FileHandle, 'sync' | 'datasync'>;
  await any.close();
  const { sync, datasync } = prototype;
  restore = () => Object.assign(prototype, { sync, datasync });
});
afterEach(() => {
  restore();
  rmSync(folder, { recursive: true, force: true });
});

describe('data that must be durable', () => {
  it('is synced also by file handles that do not implement it, as those of Yarn Plug’n’Play', async () => {
    const cannot = (): never => {
      throw new Error('Method not implemented.');
    };
    Object.assign(prototype, { sync: cannot, datasync: cannot });
    await syncFolder(folder);
    const path = join(folder, 'a.csv');
    const writer = await openCsvWriter({ path, columns: ['n'] });
    await writer.write([{ n: 1 }]);
    expect(await writer.persist()).toMatchObject({ bytes: 4 });
    await writer.finish();
    expect(readFileSync(path, 'utf8')).toBe('n\n1\n');
  });

  it.each([
    ['syncData', syncData],
    ['syncAll', syncAll],
  ])('is not durable where the system says so (%s)', async (_, sync) => {
    const fails = (): Promise<void> => Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' }));
    Object.assign(prototype, { sync: fails, datasync: fails });
    const handle = await open(join(folder, 'a'), 'w');
    try {
      await expect(sync(handle)).rejects.toMatchObject({ code: 'EIO' });
    } finally {
      await handle.close();
    }
  });
});
