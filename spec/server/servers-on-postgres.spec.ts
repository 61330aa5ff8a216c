/** Real servers on one PostgreSQL, as processes, with real runs. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { ServerOverview } from '#lib/client/index.js';
import { describeWithPostgres } from '../support/describe-with-postgres.js';
import { PostgresServer } from '../support/postgres-server.js';
import { end, newFolder, removeFolder, SCRIPT, serve, until, type Served } from './support/served.js';

async function overviewOf(served: Served): Promise<ServerOverview> {
  return (await served.ask('/overview')).body as unknown as ServerOverview;
}

async function trigger(served: Served): Promise<string> {
  return (await served.ask('/workflows/Flow/runs', { method: 'POST', body: {} })).body['id'] as string;
}

async function stateOf(served: Served, id: string): Promise<unknown> {
  return (await served.ask(`/runs/${id}`)).body['state'];
}

function isQueued({ run }: ServerOverview['active'][number]): boolean {
  return run.state === 'queued';
}

describeWithPostgres('servers on one PostgreSQL', () => {
  let database: PostgresServer;
  let folder: string;
  let servers: Served[] = [];
  /** With a lease that a busy machine does not miss, unless the case needs a short one. */
  const start = async (words: readonly string[] = [], lease = '20s'): Promise<Served> => {
    const served = await serve(folder, '--store', database.url, '--lease', lease, ...words);
    servers.push(served);
    return served;
  };
  beforeAll(async () => {
    database = await PostgresServer.start();
  }, 60_000);
  afterAll(() => database.stop());
  beforeEach(() => {
    folder = newFolder();
  });
  afterEach(async () => {
    writeFileSync(join(folder, 'go'), '');
    // The files of runs at work cannot be removed.
    const alive = servers.find((served) => served.process.exitCode === null && served.process.signalCode === null);
    if (alive !== undefined) await until(async () => (await overviewOf(alive)).active.every(isQueued));
    for (const served of servers) await end(served);
    servers = [];
    await database.sql('DROP SCHEMA IF EXISTS millrace CASCADE');
    removeFolder(folder);
  });

  it('see each other, and each takes from the queue what its pools allow', async () => {
    const one = await start(['--pool', 'other=1']);
    const waiting = await trigger(one);
    await until(async () =>
      String((await one.ask(`/runs/${waiting}`)).body['waitsFor']).includes('which this server does not have'),
    );
    const two = await start(['--pool', 'few=1']);
    await until(async () => (await stateOf(two, waiting)) === 'running');
    const next = await trigger(one);
    await until(async () =>
      String((await one.ask(`/runs/${next}`)).body['waitsFor']).includes("the pool 'few' of another server"),
    );
    const { servers: seen } = await overviewOf(one);
    expect(seen).toMatchObject([
      { url: one.url, pools: { other: 1 }, isLeader: true, isThis: true },
      { url: two.url, pools: { few: 1 }, isLeader: false, isThis: false },
    ]);
  }, 60_000);

  it('carry out the wish to stop a run of another server, and take over from one that was killed', async () => {
    const one = await start();
    const two = await start(['--pool', 'none=1']);
    const [first, second] = [await trigger(two), await trigger(two)];
    await until(async () => (await stateOf(two, second)) === 'running');
    expect((await two.ask(`/runs/${first}/stop`, { method: 'POST', body: { how: 'cancel' } })).status).toBe(200);
    await until(async () => (await stateOf(two, first)) === 'cancelled');
    await end(one, 'SIGKILL');
    // The process of the run goes on. Its new server knows that the old one is dead, because it is on the same host.
    await until(async () => (await overviewOf(two)).servers.length === 1);
    expect(await stateOf(two, second)).toBe('running');
    writeFileSync(join(folder, 'go'), '');
    await until(async () => (await stateOf(two, second)) === 'completed');
    expect((await overviewOf(two)).servers).toMatchObject([{ url: two.url, isLeader: true }]);
  }, 60_000);

  it('answer while their database is away, and go on when it is back', async () => {
    const one = await start([], '3s');
    let said = '';
    one.process.stderr?.on('data', (data: Buffer) => {
      said += data.toString();
    });
    await database.crash();
    const { status, body } = await one.ask('/overview');
    expect([status, body['code']]).toEqual([503, 'MILLRACE_NETWORK']);
    expect((await fetch(one.url)).status).toBe(200);
    await until(() => said.includes('The database of the store cannot be reached'));
    await database.begin();
    await until(() => said.includes('can be reached again'));
    const run = await trigger(one);
    await until(async () => (await stateOf(one, run)) === 'running');
    expect(said.match(/cannot be reached/g)).toHaveLength(1);
  }, 60_000);

  it('never show the password of the store, also not to runs', async () => {
    const secret = 'canary-of-the-store';
    const url = database.url.replace('postgres@', `postgres:${secret}@`);
    const place = mkdtempSync(join(tmpdir(), 'millrace-store-'));
    const serveHere = (words: readonly string[], env: object = {}): ReturnType<typeof spawnSync> =>
      spawnSync(process.execPath, [SCRIPT, 'serve', '--port', '0', ...words], {
        cwd: place,
        encoding: 'utf8',
        env: { ...process.env, ...env },
        timeout: 50_000,
      });
    const gone = url.replace(/:\d+\//, ':1/');
    for (const { status, stdout, stderr } of [
      serveHere(['--store', gone, '--debug']),
      serveHere([], { MILLRACE_STORE: gone }),
      serveHere(['--store', url.replace('postgres:', 'mysql:')]),
      serveHere(['--store', url.replace('127', 'not an address')]),
    ]) {
      expect(status).not.toBe(0);
      expect(`${String(stdout)}${String(stderr)}`).not.toContain(secret);
      expect(String(stderr)).toMatch(/^MILLRACE_/);
    }
    rmSync(place, { recursive: true });
    servers.push(await serve(folder, '--store', url));
    const run = await trigger(servers[0] as Served);
    await until(async () => (await stateOf(servers[0] as Served, run)) === 'running');
    const path = join(folder, '.millrace', 'runs', run, 'incarnation-1.json');
    const { pid } = JSON.parse(readFileSync(path, 'utf8')) as { pid: number };
    for (const name of ['environ', 'cmdline'])
      expect(readFileSync(`/proc/${pid}/${name}`, 'utf8')).not.toContain(secret);
  }, 60_000);
});
