/** The log of the state of a run. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Json } from '#lib/model/checkpoint.js';
import type { StateChange } from '#lib/model/state.js';
import { stateFile } from '#lib/storage/state-file.js';

let folder: string;
let prefix: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'state-'));
  prefix = join(folder, 'state');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const set = (space: string, key: string, value: unknown): StateChange => ({ space, key, entry: [value] });
const remove = (space: string, key: string): StateChange => ({ space, key, entry: undefined });

async function restored(position: Json): Promise<Record<string, unknown>> {
  const store = stateFile(prefix, 99);
  const spaces = await store.restore(position);
  await store.close?.();
  return Object.fromEntries([...spaces].map(([space, entries]) => [space, [...entries]]));
}

describe('stateFile', () => {
  it('returns the entries at each position, whatever was appended later', async () => {
    const store = stateFile(prefix, 1);
    const first = await store.append([
      set('a', 'x', 1),
      set('b', 'x', new Map([[1, new Date(0)]])),
      set('a', 'y', undefined),
    ]);
    const second = await store.append([set('a', 'x', 2), remove('a', 'y')]);
    await store.close?.();
    expect(await restored(first)).toEqual({
      a: [
        ['x', 1],
        ['y', undefined],
      ],
      b: [['x', new Map([[1, new Date(0)]])]],
    });
    expect(await restored(second)).toMatchObject({ a: [['x', 2]] });
  });

  it('copies values before `append` returns', async () => {
    const store = stateFile(prefix, 1);
    const value = { sum: 1 };
    const appended = store.append([set('a', 'x', value)]);
    value.sum = 2;
    const position = await appended;
    await store.close?.();
    expect(await restored(position)).toEqual({ a: [['x', { sum: 1 }]] });
  });

  it('continues in a file of its own, in the next incarnation, and leaves the one before to its checkpoint', async () => {
    const store = stateFile(prefix, 1);
    const first = await store.append([set('a', 'x', 1), set('a', 'y', 2)]);
    const next = stateFile(prefix, 2);
    await next.restore(first);
    const second = await next.append([remove('a', 'x')]);
    // A process that only seemed dead still writes.
    await store.append([set('a', 'z', 3)]);
    await store.close?.();
    expect(await restored(first)).toEqual({
      a: [
        ['x', 1],
        ['y', 2],
      ],
    });
    expect(await restored(second)).toEqual({ a: [['y', 2]] });
    await next.checkpointed?.(second);
    // The checkpoint before this one may be needed once more.
    expect(await readdir(folder)).toHaveLength(2);
    await next.checkpointed?.(second);
    await next.close?.();
    expect(await readdir(folder)).toEqual(['state-2-1.log']);
  });

  it('stays in proportion to its live entries', async () => {
    const store = stateFile(prefix, 1);
    let position: Json = null;
    for (let round = 0; round < 60; round++) {
      position = await store.append(Array.from({ length: 5000 }, (_, key) => set('a', String(key), [round, key])));
      await store.checkpointed?.(position);
    }
    await store.close?.();
    const { file, length } = position as { file: string; length: number };
    expect((await readdir(folder)).length).toBeLessThanOrEqual(2);
    expect(Number(/-(\d+)\.log$/.exec(file)?.[1])).toBeGreaterThan(1);
    const once = 5000 * 40;
    expect(length).toBeLessThan(25 * once);
    const { a } = (await restored(position)) as { a: [string, unknown][] };
    expect(a).toHaveLength(5000);
    expect(a[17]).toEqual(['17', [59, 17]]);
  });

  it('is not copied while most of what it holds is live', async () => {
    const store = stateFile(prefix, 1);
    let position: Json = null;
    for (let round = 0; round < 25; round++) {
      position = await store.append(
        Array.from({ length: 10_000 }, (_, key) => set('a', String(round * 10_000 + key), key)),
      );
      await store.checkpointed?.(position);
    }
    await store.close?.();
    expect(position).toMatchObject({ file: 'state-1-1.log' });
  });

  it('rejects with what the reading of the changes throws, and stores none of them', async () => {
    const store = stateFile(prefix, 1);
    function* failing(): Iterable<StateChange> {
      yield set('a', 'x', 1);
      throw new Error('not plain');
    }
    await expect(store.append(failing())).rejects.toThrow('not plain');
    const position = await store.append([set('a', 'y', 2)]);
    await store.close?.();
    expect(await restored(position)).toEqual({ a: [['y', 2]] });
  });

  it('names the space of a value that cannot be copied', async () => {
    const store = stateFile(prefix, 1);
    await expect(store.append([set('task Sum', '0', () => 1)])).rejects.toMatchObject({
      code: 'MILLRACE_UNCLONABLE',
      message: expect.stringMatching(/^The state of 'task Sum' cannot be stored: .*Use plain data/),
    });
    await store.close?.();
  });

  it('notices each flipped byte, a short file and a missing one', async () => {
    const store = stateFile(prefix, 1);
    const position = await store.append([set('a', 'x', { text: 'hello' }), set('b', 'y', [1, 2, 3])]);
    await store.close?.();
    const path = join(folder, 'state-1-1.log');
    const bytes = await readFile(path);
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] as number) ^ 0x01;
      await writeFile(path, flipped);
      await expect(restored(position)).rejects.toMatchObject({
        code: 'MILLRACE_RESUME',
        message: expect.stringContaining(path),
      });
    }
    await writeFile(path, bytes);
    await truncate(path, bytes.length - 1);
    await expect(restored(position)).rejects.toMatchObject({ code: 'MILLRACE_RESUME' });
    await rm(path);
    await expect(restored(position)).rejects.toMatchObject({
      code: 'MILLRACE_RESUME',
      message: expect.stringContaining('Put the file back'),
    });
  });
});
