import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { checkpointFile, lastCheckpoint, previousOf, readCheckpoint } from '#lib/storage/checkpoint-file.js';
import { seal } from '#lib/storage/sealed.js';
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
    expect(await readdir(folder)).toEqual(['checkpoint.json', 'checkpoint.json.previous']);
    expect(await readCheckpoint(previousOf(path))).toEqual(checkpointAt(1));
  });

  it('with any byte changed, missing or added is named, and the checkpoint before it is found', async () => {
    const store = checkpointFile(path);
    await store.write(checkpointAt(1));
    await store.write(checkpointAt(2));
    const bytes = await readFile(path);
    const variants = [...bytes.keys()].flatMap((at) => {
      const replaced = [1, 0x20, 0x80].map((bit) => {
        const copy = Buffer.from(bytes);
        copy[at] = (copy[at] as number) ^ bit;
        return copy;
      });
      return [...replaced, Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])];
    });
    for (const damaged of [...variants, Buffer.concat([bytes, Buffer.from(' ')]), Buffer.alloc(0)]) {
      await writeFile(path, damaged);
      const error = await readCheckpoint(path).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'MILLRACE_FILE', message: expect.stringContaining('checkpoint.json') });
      expect(await lastCheckpoint(path, 'fix')).toMatchObject({
        checkpoint: checkpointAt(1),
        // The run is used, so nobody should remove it.
        damage: { code: 'MILLRACE_FILE', message: expect.not.stringContaining(': fix') },
      });
    }
    await rm(path);
    expect(await lastCheckpoint(path, 'fix')).toMatchObject({
      checkpoint: checkpointAt(1),
      damage: { code: 'MILLRACE_FILE' },
    });
    await writeFile(previousOf(path), 'oops');
    await writeFile(path, bytes.subarray(1));
    await expect(lastCheckpoint(path, 'fix')).rejects.toMatchObject({ message: expect.stringContaining('fix') });
  });

  it.each([
    ['without a checksum', '{"format":1}', 'MILLRACE_FILE', /checkpoint\.json has no checksum.*: start a new run$/],
    ['that is another file', seal({ format: 1, roots: 5 }), 'MILLRACE_FILE', /checkpoint\.json is not a checkpoint/],
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
