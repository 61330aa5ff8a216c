import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SqlStore } from '#lib/server/store/sql-store.js';
import { sqliteDatabase, sqliteStore } from '#lib/server/store/sqlite-store.js';
import { OwnedDatabase } from '#lib/server/store/owned-database.js';
import { hasNodeSqlite, type SqliteEngine } from '#lib/storage/sqlite.js';
import { aRun, serverStoreContract, sharedStoreContract } from '../../contracts/server-store.contract.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-store-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const engines: readonly SqliteEngine[] = hasNodeSqlite() ? ['wasm', 'node'] : ['wasm'];

describe.each(engines)('the store in SQLite, by the engine %s,', (engine) => {
  serverStoreContract(() => sqliteStore(join(folder, 'state.db'), engine), true);
  sharedStoreContract(() => {
    const database = sqliteDatabase(':memory:', engine);
    return Promise.resolve([new SqlStore(database), new SqlStore(database)]);
  });

  it('opens a file whose owner was killed, and that of the other engine', async () => {
    const path = join(folder, 'state.db');
    const store = sqliteStore(path, engine);
    await store.addRun(aRun('r1'));
    await store.close();
    mkdirSync(`${path}.lock`, { recursive: true });
    for (const other of engines) {
      const again = sqliteStore(path, other);
      expect(await again.run('r1')).toEqual(aRun('r1'));
      await again.close();
    }
  });

  it('refuses a file of a newer millrace', () => {
    const path = join(folder, 'state.db');
    const database = new OwnedDatabase(path, engine);
    database.exec('PRAGMA user_version = 99');
    database.close();
    expect(() => sqliteStore(path, engine)).toThrow('version 99');
  });
});
