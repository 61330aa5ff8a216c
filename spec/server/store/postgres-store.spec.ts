/** The store in a real PostgreSQL. */
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { ServerStore } from '#lib/server/store/server-store.js';
import { postgresStore } from '#lib/server/store/postgres-store.js';
import { aRun, serverStoreContract, sharedStoreContract } from '../../contracts/server-store.contract.js';
import { until } from '../support/served.js';
import { describeWithPostgres } from '../../support/describe-with-postgres.js';
import { PostgresServer } from '../../support/postgres-server.js';

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
  sharedStoreContract(() => Promise.all([postgresStore(server.url), postgresStore(server.url)]));

  it('is made once by several servers that begin at the same time', async () => {
    const stores = await Promise.all([1, 2, 3].map(() => postgresStore(server.url)));
    await (stores[0] as ServerStore).addRun(aRun('r1'));
    expect(await (stores[2] as ServerStore).run('r1')).toEqual(aRun('r1'));
    await Promise.all(stores.map((store) => store.close()));
  });

  it('rejects while the database is away, and works again when it is back', async () => {
    const store = await postgresStore(server.url);
    await store.addRun(aRun('r1'));
    await server.crash();
    await expect(store.run('r1')).rejects.toMatchObject({ code: 'MILLRACE_NETWORK', retryable: true });
    await expect(store.addRun(aRun('r2'))).rejects.toMatchObject({ code: 'MILLRACE_NETWORK' });
    await server.begin();
    expect(await store.runs({ limit: 9 })).toEqual([aRun('r1')]);
    await store.close();
  });

  it('removes a server only after the transaction that it has begun, and refuses the next one', async () => {
    const [one, two] = await Promise.all([postgresStore(server.url), postgresStore(server.url)]);
    const facts = { host: 'a', url: '', pools: {}, maxRuns: 1, startedAt: 0, leaseMs: -1 };
    const process = { pid: 1, host: 'a', processStart: null };
    const number = await one.join({ ...facts, process });
    await two.join({ ...facts, process });
    // A transaction of the first server that has passed the check, and waits for the lock of a table.
    const client = await server.connect();
    await client.query('BEGIN; LOCK TABLE millrace.audit');
    const waiting = async (): Promise<unknown> =>
      (await server.sql("SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))[0]?.['n'];
    const entry = one.addAudit({ at: 1, who: 'ada', what: 'x', subject: 'y' });
    await until(async () => (await waiting()) === 1);
    let isRemoved = false;
    const removal = two.removeServers([number], false).then(() => {
      isRemoved = true;
    });
    // Renewals do not wait for transactions.
    await one.renew();
    await until(async () => isRemoved || (await waiting()) === 2);
    const isTooEarly = isRemoved;
    await client.query('COMMIT');
    await client.end();
    expect(isTooEarly).toBe(false);
    await entry;
    await removal;
    await expect(one.addRun(aRun('r1'))).rejects.toMatchObject({ code: 'MILLRACE_LOCKED' });
    await Promise.all([one.close(), two.close()]);
  });

  it('joins the parts of the counts', async () => {
    const store = await postgresStore(server.url);
    for (let n = 0; n < 20; n++) await store.addRun(aRun(`r${n}`));
    await server.sql('INSERT INTO millrace.counts SELECT state, 0 FROM millrace.counts, generate_series(1, 100)');
    expect(await store.counts()).toMatchObject({ queued: 20 });
    expect(await server.sql('SELECT state, count::int FROM millrace.counts')).toEqual([{ state: 'queued', count: 20 }]);
    await store.close();
  });

  it('refuses a schema of a newer millrace, and a database that does not exist, without the password', async () => {
    await (await postgresStore(server.url)).close();
    await server.sql('INSERT INTO millrace.version VALUES (99)');
    await expect(postgresStore(server.url)).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
    const nowhere = server.url.replace('postgres@', 'postgres:canary-word@').replace(/postgres$/, 'nowhere');
    const error = await postgresStore(nowhere).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: 'MILLRACE_SQL' });
    expect((error as Error).message).not.toContain('canary-word');
  });

  it('names the command for a backup', async () => {
    const store = await postgresStore(server.url);
    await expect(store.backUp('copy')).rejects.toThrow('pg_dump --schema=millrace');
    await store.close();
  });
});
