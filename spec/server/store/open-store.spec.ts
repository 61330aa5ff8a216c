import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { isDatabase, openStore } from '#lib/server/store/open-store.js';

describe('the place of a store', () => {
  it('is a database by its URL, and otherwise a file', () => {
    for (const url of ['postgres://a@b/c', 'postgresql://b', 'POSTGRES://b/c']) expect(isDatabase(url)).toBe(true);
    for (const path of ['state.db', './a/b.db', '/a:b/c', 'postgres.db']) expect(isDatabase(path)).toBe(false);
  });

  it('is refused if it is another URL, without its password', () => {
    for (const url of ['mysql://ada:canary@b/c', 'postgres://ada:canary@b b/c']) {
      expect(() => isDatabase(url)).toThrow(expect.objectContaining({ code: 'MILLRACE_USAGE' }));
      expect(() => isDatabase(url)).not.toThrow('canary');
    }
  });

  it('may be a file in a folder that does not exist yet, for one server', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-open-'));
    const place = join(folder, 'new', 'state.db');
    const one = await openStore(place, folder);
    expect([one.isShared, existsSync(place)]).toEqual([false, true]);
    await expect(openStore(place, folder)).rejects.toMatchObject({ code: 'MILLRACE_LOCKED' });
    await one.close();
    await (await openStore(place, folder)).close();
    rmSync(folder, { recursive: true });
  });
});
