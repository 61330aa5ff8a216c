import { appendFile, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { endsAt, pointAt, reopenAt, type FilePoint } from '#lib/storage/file-point.js';

describe('a point in a file', () => {
  let path: string;
  beforeEach(async () => {
    path = join(await mkdtemp(join(tmpdir(), 'millrace-point-')), 'result.part');
    await writeFile(path, 'row\n'.repeat(1000));
  });
  afterEach(() => rm(join(path, '..'), { recursive: true }));

  const pointOf = async (bytes: number): Promise<FilePoint> => {
    const file = await open(path, 'r');
    try {
      return await pointAt(file, bytes);
    } finally {
      await file.close();
    }
  };

  it.each([0, 4, 2000, 4000])('at byte %i can be gone back to, and gone on from', async (bytes) => {
    const before = (await readFile(path)).subarray(0, bytes).toString();
    const point = JSON.parse(JSON.stringify(await pointOf(bytes))) as FilePoint;
    await appendFile(path, 'what the checkpoint does not know');
    const file = await reopenAt(path, point);
    await file.write('on', bytes);
    await file.close();
    expect(await readFile(path, 'utf8')).toBe(`${before}on`);
  });

  it.each<[string, () => Promise<unknown>, RegExp]>([
    ['is shorter', () => truncate(path, 3000), /it is 3000 bytes long, and the checkpoint counts on 4000/],
    [
      'is another',
      () => writeFile(path, 'other'.repeat(1000)),
      /the bytes before byte 4000 are not what this run wrote/,
    ],
    ['is gone', () => rm(path), /the file does not exist any more/],
  ])('is refused in a file that %s, which stays as it is', async (_, change, message) => {
    const point = await pointOf(4000);
    await change();
    const before = await readFile(path).catch(() => undefined);
    await expect(reopenAt(path, point)).rejects.toMatchObject({
      code: 'MILLRACE_RESUME',
      message: expect.stringMatching(message),
    });
    expect(await readFile(path).catch(() => undefined)).toEqual(before);
  });

  it('reports whether a file ends there', async () => {
    const point = await pointOf(4000);
    expect(await endsAt(path, point)).toBe(true);
    await appendFile(path, 'x');
    expect(await endsAt(path, point)).toBe(false);
    await rm(path);
    expect(await endsAt(path, point)).toBe(false);
  });
});
