/** The folder of remembered outputs: whole files, a bounded size, one user. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoFolder } from 'millrace/memo';

let place: string;
let folder: string;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'memo-'));
  folder = join(place, 'outputs');
});
afterEach(() => rm(place, { recursive: true }));

const keyOf = (number: number): string => number.toString(16).padStart(64, '0');
const filesIn = async (): Promise<string[]> =>
  (await readdir(folder, { recursive: true })).filter((name) => /\.(json|tmp)$/.test(name)).sort();

describe('a memo folder', () => {
  it('returns what was put, and undefined for another key', async () => {
    const store = memoFolder(folder);
    await store.open?.();
    expect(await store.get(keyOf(1))).toBeUndefined();
    await store.put(keyOf(1), 'one');
    await store.put(keyOf(1), 'ONE');
    expect(await memoFolder(folder).get(keyOf(1))).toBe('ONE');
    expect(await filesIn()).toEqual([`00/${keyOf(1)}.json`]);
  });

  it('is made for its user alone', async () => {
    const store = memoFolder(folder);
    await store.open?.();
    await store.put(keyOf(1), 'one');
    const modes = await Promise.all(
      ['', '00', `00/${keyOf(1)}.json`].map(async (name) =>
        ((await stat(join(folder, name))).mode & 0o777).toString(8),
      ),
    );
    expect(modes).toEqual(['700', '700', '600']);
  });

  it('is refused when other users may use it, or when it is a file', async () => {
    await mkdir(folder);
    await chmod(folder, 0o755);
    await expect(memoFolder(folder).open?.()).rejects.toThrow(/other users may use it \(mode 755\).*chmod 700/);
    const file = join(place, 'file');
    await writeFile(file, 'x');
    await expect(memoFolder(file).open?.()).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
    await expect(memoFolder(file).check?.()).rejects.toThrow('it is no folder');
    expect(() => memoFolder('')).toThrow('the path of a memo folder');
    expect(() => memoFolder('x', { maxByte: 1 } as never)).toThrow('Did you mean `maxBytes`?');
  });

  it('changes nothing when it is only checked', async () => {
    await memoFolder(folder).check?.();
    expect(await readdir(place)).toEqual([]);
  });

  it('removes the oldest outputs when it is full, also those of other runs', async () => {
    const other = memoFolder(folder);
    await other.open?.();
    for (let number = 0; number < 10; number++) {
      await other.put(keyOf(number), 'old');
      const at = new Date(1_700_000_000_000 + number * 1000);
      await utimes(join(folder, '00', `${keyOf(number)}.json`), at, at);
    }
    const store = memoFolder(folder, { maxBytes: 10 * 4096 });
    await store.put(keyOf(10), 'new');
    // Nine tenths remain.
    expect(await filesIn()).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10].map((number) => `00/${keyOf(number)}.json`));
    expect(await store.get(keyOf(0))).toBeUndefined();
  });

  it('stays within its size while many write at once', async () => {
    const store = memoFolder(folder, { maxBytes: 20 * 4096 });
    await store.open?.();
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 32 }, (_, at) => store.put(keyOf(round * 32 + at), 'x')));
      expect((await filesIn()).length).toBeLessThanOrEqual(20 + 32);
    }
    await store.put(keyOf(1000), 'x');
    expect((await filesIn()).length).toBeLessThanOrEqual(20);
    expect(await store.get(keyOf(1000))).toBe('x');
  });

  it('leaves no temporary file, and removes those of processes that have died', async () => {
    const store = memoFolder(folder, { maxBytes: 4096 });
    await store.open?.();
    await mkdir(join(folder, '00'));
    const old = join(folder, '00', `${keyOf(1)}.json.abc.tmp`);
    await writeFile(old, 'half');
    await utimes(old, new Date(0), new Date(0));
    await writeFile(join(folder, '00', `${keyOf(2)}.json.def.tmp`), 'in work');
    await store.put(keyOf(3), 'x');
    expect(await filesIn()).toEqual([`00/${keyOf(2)}.json.def.tmp`, `00/${keyOf(3)}.json`]);
    expect(await readFile(join(folder, '00', `${keyOf(3)}.json`), 'utf8')).toBe('x');
  });
});
