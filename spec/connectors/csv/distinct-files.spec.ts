/**
 * The input is never overwritten, whatever name it goes by.
 */
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { assertDistinctFiles } from '#lib/connectors/csv/distinct-files.js';

let folder = '';
let input = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distinct-files-'));
  input = join(folder, 'in.csv');
  await writeFile(input, 'a\n1\n');
  await mkdir(join(folder, 'sub'));
  await symlink(input, join(folder, 'soft.csv'));
  await link(input, join(folder, 'hard.csv'));
  await symlink(folder, join(folder, 'sub', 'folder'));
  await symlink(input, join(folder, 'out.csv.part'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('the output', () => {
  it.each([
    ['its own path', () => input],
    ['another spelling of its path', () => `${folder}/sub/../in.csv`],
    ['a relative path', () => relative(process.cwd(), input)],
    ['a symbolic link to it', () => join(folder, 'soft.csv')],
    ['a hard link to it', () => join(folder, 'hard.csv')],
    ['a path through a linked folder', () => join(folder, 'sub', 'folder', 'in.csv')],
  ])('is refused where it is the input: %s', async (_, output) => {
    await expect(assertDistinctFiles(input, output())).rejects.toMatchObject({
      code: 'MILLRACE_FILE',
      message: `The output ${output()} is the same file as the input ${input}: choose another path for the output`,
    });
  });

  it('is refused where its .part is the input', async () => {
    const output = join(folder, 'out.csv');
    const message =
      `The output ${output} is written to ${output}.part first, which is the same file as the input ${input}: ` +
      'choose another path for the output';
    await expect(assertDistinctFiles(input, output)).rejects.toMatchObject({ code: 'MILLRACE_FILE', message });
    await expect(assertDistinctFiles(`${folder}/x.csv.part`, `${folder}/x.csv`)).rejects.toThrow('written to');
  });

  it('may be another file, there or not, also where the input is not there', async () => {
    await writeFile(join(folder, 'other.csv'), 'a\n1\n');
    await assertDistinctFiles(input, join(folder, 'other.csv'));
    await assertDistinctFiles(input, join(folder, 'new.csv'));
    await assertDistinctFiles(join(folder, 'none.csv'), join(folder, 'new.csv'));
    await expect(assertDistinctFiles(`${folder}/none.csv`, `${folder}/none.csv`)).rejects.toThrow('the same file');
  });
});
