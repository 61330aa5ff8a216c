/** The store in a real PostgreSQL. */
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { ServerStore } from '#lib/server/store/server-store.js';
import { postgresStore } from '#lib/server/store/postgres-store.js';
import { aRun, serverStoreContract } from '../../contracts/server-store.contract.js';
import { describeWithPostgres, PostgresServer } from '../../support/postgres-server.js';

describeWithPostgres('the store in PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);
  afterAll(async () => {
    await server.stop();
  });
  beforeEach(async () => {
    await server.sql('DROP SCHEMA IF EXISTS millrace CASCADE');
  });

  serverStoreContract(() => postgresStore(server.url), true);

  it('is made once by several servers that begin at the same time', async () => {
    const stores = await Promise.all([1, 2, 3].map(() => postgresStore(server.url)));
    await (stores[0] as ServerStore).addRun(aRun('r1'));
    expect(await (stores[2] as ServerStore).run('r1')).toEqual(aRun('r1'));
    await Promise.all(stores.map((store) => store.close()));
  });
});
