import {
  access,
  appendFile,
  copyFile,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { deadLetterFile } from 'millrace/storage';
import { sourceTask, syncTask, type DeadLetter } from 'millrace';
import { runToEnd, task } from '../support/run-to-end.js';

const letter = (record: unknown): DeadLetter => ({
  runId: 'r',
  task: 'T',
  lineage: { root: 'S', partition: 0, number: 3 },
  record,
  attempts: 1,
  code: 'MILLRACE_TASK',
  message: 'no',
  firstAt: 1,
  lastAt: 2,
});

async function copied(path: string): Promise<string> {
  await copyFile(path, `${path}.copy`);
  return `${path}.copy`;
}

describe('the dead-letter file', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-letters-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it('holds one letter a line, in the order in which they were given up', async () => {
    const path = join(folder, 'letters.ndjson');
    const store = deadLetterFile(path);
    for (let n = 0; n < 5000; n++) store.write(letter(n));
    await store.close();
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as DeadLetter).record)).toEqual([...Array(5000).keys()]);
    expect(JSON.parse(lines[0] as string)).toEqual({ ...letter(0), crc: expect.stringMatching(/^[0-9a-f]{8}$/) });
  });

  it('is not made while there is nothing to write', async () => {
    const path = join(folder, 'letters.ndjson');
    await deadLetterFile(path).close();
    await expect(access(path)).rejects.toThrow();
  });

  it('writes records that JSON has no word for', async () => {
    const path = join(folder, 'letters.ndjson');
    const store = deadLetterFile(path);
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    for (const record of [undefined, NaN, 10n, circular, { deep: [Infinity] }]) store.write(letter(record));
    await store.close();
    const records = (await readFile(path, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as DeadLetter).record);
    expect(records).toEqual([null, 'NaN', '10n', '[object Object] (object)', { deep: ['Infinity'] }]);
  });

  it('says that it is full, and when it can take more', async () => {
    const store = deadLetterFile(join(folder, 'letters.ndjson'), { capacity: 3 });
    const ready = new Promise<void>((resolve) => {
      store.whenReady(resolve);
    });
    for (let n = 0; n < 3; n++) store.write(letter(n));
    expect(store.isFull).toBe(true);
    await ready;
    expect(store.isFull).toBe(false);
    await store.close();
  });

  it('takes the place of the letters of an earlier run, and of nothing else', async () => {
    const path = join(folder, 'letters.ndjson');
    for (const run of ['first', 'second']) {
      const store = deadLetterFile(path);
      await store.assertWritable?.();
      store.write({ ...letter(run), runId: run });
      await store.close();
    }
    expect(await readFile(path, 'utf8')).toMatch(/^{"runId":"second",.*}\n$/);
    for (const mine of ['my data\n', '{', '{"id":1}\n', '{\n  "id": 1\n}\n', '[]', 'x'.repeat(100_000)]) {
      await writeFile(path, mine);
      const store = deadLetterFile(path);
      const refused = { code: 'MILLRACE_FILE', message: expect.stringContaining('it holds something else') as unknown };
      await expect(store.assertWritable?.()).rejects.toMatchObject(refused);
      store.write(letter(1));
      await expect(store.close()).rejects.toMatchObject(refused);
      expect(await readFile(path, 'utf8')).toBe(mine);
    }
  });

  it.each([
    ['{"runId":"r","task":"T","li', true],
    ['{"ru', true],
    ['{"runId":"other","task":"T","li', false],
    ['', false],
    ['my data\n', false],
  ])('a resumed run without letters removes %j: %j', async (left, isOwn) => {
    const path = join(folder, 'letters.ndjson');
    await writeFile(path, left);
    await deadLetterFile(path).durable?.rewind(null, () => true, 'r');
    const found = await readFile(path, 'utf8').catch(() => undefined);
    expect(found).toBe(isOwn ? undefined : left);
  });

  it.each([
    ['.', 'it is a folder; name a file that may be written in it'],
    ['missing/letters.ndjson', "the folder '<folder>/missing' does not exist; create it first"],
  ])('says of the path %s, before anything is written, what is wrong with it', async (name, reason) => {
    const reported = await Promise.resolve(deadLetterFile(join(folder, name)).assertWritable?.()).catch(
      (error: unknown) => (error as Error).message,
    );
    expect(reported?.replaceAll(folder, '<folder>')).toContain(reason);
  });

  it('does not read what is no regular file', async () => {
    await expect(deadLetterFile('/dev/null').assertWritable?.()).resolves.toBeUndefined();
  });

  const numbersIn = async (path: string): Promise<unknown[]> =>
    (await readFile(path, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as DeadLetter).record);

  it('is written by one run at a time, under any name, and another is refused before it does anything', async () => {
    const path = join(folder, 'letters.ndjson');
    const first = deadLetterFile(path);
    first.write(letter(1));
    await first.durable?.persist();
    await symlink(path, join(folder, 'alias.ndjson'));
    for (const name of ['letters.ndjson', 'alias.ndjson']) {
      const touched: number[] = [];
      const source = sourceTask(() => [touched.push(1)]);
      const run = runToEnd(
        [
          task('S', [], source),
          task(
            'T',
            ['S'],
            syncTask((n: number) => n),
          ),
        ],
        {
          deadLetters: deadLetterFile(join(folder, name)),
        },
      );
      await expect(run).rejects.toMatchObject({
        code: 'MILLRACE_LOCKED',
        message: expect.stringMatching(/letters\.ndjson is being written by process \d+\. Wait for it to end/),
      });
      expect(touched).toEqual([]);
    }
    await first.close();
    expect(await numbersIn(path)).toEqual([1]);
    const second = deadLetterFile(path);
    await second.open?.();
    await second.close();
    expect(await readdir(folder)).toEqual(['alias.ndjson', 'letters.ndjson']);
  });

  it('that is removed while it is written is put back with all its letters', async () => {
    const path = join(folder, 'letters.ndjson');
    const store = deadLetterFile(path);
    for (const n of [1, 2]) store.write(letter(n));
    await store.durable?.persist();
    await rm(path);
    store.write(letter(3));
    await store.durable?.persist();
    expect(await numbersIn(path)).toEqual([1, 2, 3]);
    await rm(path);
    await store.close();
    expect(await numbersIn(path)).toEqual([1, 2, 3]);
  });

  it.each([
    ['replaced', 'replaced', async (path: string) => rename(await copied(path), path)],
    ['cut off', 'changed', (path: string) => truncate(path, 10)],
    ['written by another program', 'changed', (path: string) => appendFile(path, 'mine\n')],
  ])('that is %s while it is written fails the run', async (_, what, change) => {
    const path = join(folder, 'letters.ndjson');
    const store = deadLetterFile(path);
    const broken: unknown[] = [];
    store.whenBroken((error) => broken.push(error));
    store.write(letter(1));
    await store.durable?.persist();
    await change(path);
    const refused = {
      code: 'MILLRACE_FILE',
      message: expect.stringContaining(`letters.ndjson was ${what} while the run wrote its dead letters`) as unknown,
    };
    await expect(store.durable?.persist()).rejects.toMatchObject(refused);
    expect(broken).toEqual([expect.objectContaining(refused)]);
    await expect(store.close()).rejects.toMatchObject(refused);
  });

  it('fails the run where it cannot be written, because a record would be lost', async () => {
    const path = join(folder, 'missing', 'letters.ndjson');
    const failed = runToEnd(
      [
        task('S', [], sourceTask([1])),
        task(
          'T',
          ['S'],
          syncTask((): number => {
            throw new Error('no');
          }),
        ),
      ],
      { deadLetters: deadLetterFile(path) },
    );
    await expect(failed).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
  });
});
