import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { removeOld } from '#lib/server/retention.js';
import { backUp } from '#lib/server/store/back-up.js';
import type { ServerStore } from '#lib/server/store/server-store.js';
import { sqliteStore } from '#lib/server/store/sqlite-store.js';
import { aRun } from '../contracts/server-store.contract.js';

describe('a server that keeps runs for a time', () => {
  let folder: string;
  let store: ServerStore;
  const errors: unknown[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-retention-'));
    mkdirSync(join(folder, 'runs'));
    mkdirSync(join(folder, 'output'));
    store = sqliteStore(join(folder, 'state.db'));
    errors.length = 0;
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const ports = (): Parameters<typeof removeOld>[0] => ({
    ...{ store, runs: join(folder, 'runs'), output: join(folder, 'output'), onError: (error) => errors.push(error) },
  });

  it('removes those that ended before it, with their folders and what they have printed, and no others', async () => {
    const over = { state: 'failed', endedAt: 10 } as const;
    await store.addRun(aRun('old', over));
    await store.addRun(aRun('gone', over));
    await store.addRun(aRun('typed', { ...over, origin: 'command line' }));
    await store.addRun(aRun('new', { ...over, endedAt: 30 }));
    await store.addRun(aRun('working', { state: 'running' }));
    for (const id of ['old', 'older', 'typed', 'new', 'working']) {
      mkdirSync(join(folder, 'runs', id));
      writeFileSync(join(folder, 'runs', id, 'manifest.json'), '{}');
      writeFileSync(join(folder, 'output', `${id}-1.log`), '');
    }
    expect(await removeOld(ports(), 20)).toBe(2);
    expect(await removeOld(ports(), 20)).toBe(0);
    expect((await store.runs({ limit: 9 })).map(({ id }) => id)).toEqual(['working', 'typed', 'new']);
    expect(readdirSync(join(folder, 'runs')).sort()).toEqual(['new', 'older', 'typed', 'working']);
    expect(readdirSync(join(folder, 'output')).sort()).toEqual(
      ['new', 'older', 'typed', 'working'].map((id) => `${id}-1.log`),
    );
    expect(await store.counts()).toMatchObject({ failed: 2, running: 1 });
    expect(errors).toEqual([]);
  });

  it('copies its store into a file that opens as one, and keeps the last five copies', async () => {
    await store.addRun(aRun('r1'));
    const copies: string[] = [];
    for (let second = 0; second < 7; second++) copies.push(await backUp(store, join(folder, 'copies'), second * 1000));
    expect(copies.map((path) => existsSync(path))).toEqual([false, false, true, true, true, true, true]);
    const copy = sqliteStore(copies.at(-1) as string);
    expect(await copy.run('r1')).toEqual(aRun('r1'));
    await copy.close();
  });
});
