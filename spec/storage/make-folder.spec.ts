/** Folders with their parents, also where the recursive `mkdir` of Node does not return. */
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeFolder } from '#lib/storage/make-folder.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-folder-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('makeFolder', () => {
  it('makes all parents with the mode, and accepts a folder that exists', () => {
    const path = join(folder, 'a', 'b', 'c');
    makeFolder(path, 0o700);
    makeFolder(path, 0o700);
    expect(statSync(join(folder, 'a', 'b')).mode & 0o777).toBe(0o700);
    makeFolder(`${path}/`);
    makeFolder(join(folder, 'a', '..', 'd', '.'));
    expect(existsSync(join(folder, 'd'))).toBe(true);
  });

  it('throws for a file in its place or among its parents, and for a link that leads nowhere', () => {
    writeFileSync(join(folder, 'file'), '');
    symlinkSync('nowhere', join(folder, 'link'));
    const code = (path: string) => {
      try {
        makeFolder(join(folder, path));
        return undefined;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
    };
    expect(code('file')).toBe('EEXIST');
    expect(code('file/x/y')).toBe('ENOTDIR');
    expect(code('link')).toBe('EEXIST');
  });

  const onProc = existsSync('/proc/self') ? it : it.skip;
  onProc('throws where the file system answers ENOENT although the parent exists', () => {
    expect(() => {
      makeFolder('/proc/nope/x');
    }).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});
