/** A file is known under every name it goes by. */
import { link, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { touchedFile } from '#lib/storage/touched-file.js';

let folder = '';
const at = (...names: readonly string[]): string => join(folder, ...names);
const identityOf = (path: string): string | undefined => touchedFile(path, 'read').identity;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'touched-file-'));
  await writeFile(at('in.csv'), 'a\n1\n');
  await writeFile(at('other.csv'), 'a\n1\n');
  await mkdir(at('sub'));
  await symlink(at('in.csv'), at('soft.csv'));
  await link(at('in.csv'), at('hard.csv'));
  await symlink(folder, at('sub', 'folder'));
  await symlink('../new.csv', at('sub', 'soon.csv'));
  await symlink('ring.csv', at('ring.csv'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('a file that is there', () => {
  it.each([
    ['its own path', () => at('in.csv')],
    ['another spelling of its path', () => `${folder}/sub/../in.csv`],
    ['a relative path', () => relative(process.cwd(), at('in.csv'))],
    ['a symbolic link to it', () => at('soft.csv')],
    ['a hard link to it', () => at('hard.csv')],
    ['a path through a linked folder', () => at('sub', 'folder', 'in.csv')],
  ])('is the same by %s', (_, name) => {
    expect(identityOf(name())).toBe(identityOf(at('in.csv')));
  });

  it('is another than one with the same contents', () => {
    expect(identityOf(at('other.csv'))).not.toBe(identityOf(at('in.csv')));
  });
});

describe('a file that is not there yet', () => {
  it.each([
    ['a path through a linked folder', () => at('sub', 'folder', 'new.csv')],
    ['a symbolic link that leads to it', () => at('sub', 'soon.csv')],
    ['such a link in a linked folder', () => at('sub', 'folder', 'sub', 'soon.csv')],
  ])('is the same by %s', (_, name) => {
    expect(identityOf(name())).toBe(identityOf(at('new.csv')));
  });

  it('is none because somebody looked, and a link that leads to itself ends the looking', async () => {
    identityOf(at('never.csv'));
    expect(await readdir(folder)).not.toContain('never.csv');
    expect(identityOf(at('ring.csv'))).toBe(touchedFile(at('ring.csv'), 'read').path);
  });
});

it('what is no regular file has no identity: several may read a terminal and write to nothing', () => {
  expect([identityOf('/dev/null'), identityOf(folder)]).toEqual([undefined, undefined]);
});
