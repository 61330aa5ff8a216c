import { mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { identifyFile } from '#lib/storage/identify-file.js';

const CHANGED_AT = new Date(1_700_000_000_000);

describe('what distinguishes an input file from another', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-identify-'));
    path = join(folder, 'in.csv');
    await put('a,b\n1,2\n');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const put = async (text: string, at = CHANGED_AT): Promise<void> => {
    await writeFile(path, text);
    await utimes(path, at, at);
  };

  it('is the same for a file that has not changed', async () => {
    expect(await identifyFile(path)).toEqual(await identifyFile(path));
  });

  it.each<[string, () => Promise<unknown>]>([
    ['longer', () => put('a,b\n1,2\n3,4\n')],
    ['of the same length, with other rows', () => put('a,b\n1,3\n')],
    ['written again', () => put('a,b\n1,2\n', new Date())],
    ['gone', () => rename(path, `${path}.old`)],
  ])('is another where the file is %s', async (_, change) => {
    const before = await identifyFile(path);
    await change();
    expect(await identifyFile(path)).not.toEqual(before);
  });

  it('is next to nothing for what is no file', async () => {
    expect(await identifyFile(folder)).toEqual({ path: folder });
    expect(await identifyFile(join(folder, 'none'))).toBeNull();
  });
});
