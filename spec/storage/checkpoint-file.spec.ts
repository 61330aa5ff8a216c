import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { checkpointFile } from '#lib/storage/checkpoint-file.js';
import { checkpointAt } from '../contracts/checkpoint-store.contract.js';

describe('the checkpoint file', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-checkpoint-'));
    path = join(folder, 'checkpoint.json');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('is the one before where the last was cut short', async () => {
    const store = checkpointFile(path);
    await store.write(checkpointAt(1));
    await writeFile(`${path}.1.tmp`, JSON.stringify(checkpointAt(2)).slice(0, 50));
    expect(await store.read()).toEqual(checkpointAt(1));
    await store.write(checkpointAt(3));
    expect(await store.read()).toEqual(checkpointAt(3));
    expect(await readdir(folder)).toEqual(['checkpoint.json']);
  });

  it.each([
    ['of a later format', '{"format":99}', 'MILLRACE_RESUME', /expected format 1, got 99/],
    ['of no format', 'null', 'MILLRACE_RESUME', /expected format 1, got undefined/],
    ['that is no JSON', 'oops', 'MILLRACE_FILE', /checkpoint\.json is not JSON \(.*\): start a new run$/],
  ])('%s is refused', async (_, text, code, message) => {
    await writeFile(path, text);
    await expect(checkpointFile(path).read()).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});
