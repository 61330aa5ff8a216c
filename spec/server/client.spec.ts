/** The client, and the commands that are built on it, with a real server. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { serverClient, type ServerClient } from 'millrace/client';
import { end, newFolder, removeFolder, SCRIPT, serve, type Served } from './support/served.js';

const LIMIT_MS = 60_000;
let folder: string;
let served: Served;
let client: ServerClient;
beforeAll(async () => {
  folder = newFolder({ nightly: { cron: '30 2 * * *', zone: 'UTC' } });
  served = await serve(folder);
  client = serverClient({ url: served.url, token: served.token });
}, LIMIT_MS);
afterAll(async () => {
  writeFileSync(join(folder, 'go'), '');
  await end(served);
  removeFolder(folder);
});

it(
  'starts a run, follows it live to its end, and reads what it left',
  async () => {
    const { id, state } = await client.runs.start('Flow', { settings: { text: 'x' }, requestKey: 'day 1' });
    expect([state, (await client.runs.start('Flow', { settings: { text: 'x' }, requestKey: 'day 1' })).id]).toEqual([
      'queued',
      id,
    ]);
    const types = new Set<string>();
    for await (const event of client.events({ run: id })) {
      types.add(event.type);
      if (event.type === 'run' && event.view.tasks.length === 3) break;
    }
    writeFileSync(join(folder, 'go'), '');
    expect(types).toEqual(new Set(['change', 'run']));
    const ended = await client.runs.ended(id);
    expect(ended).toMatchObject({ state: 'completed', deadLetters: 1, settings: { text: 'x' } });
    expect(await client.runs.view(id)).toMatchObject({ outcome: 'completed', isConserved: true, settled: 3 });
    const { tasks, stretches } = await client.runs.history(id);
    expect([tasks.length, stretches.every(({ busy }) => busy.length === 3)]).toEqual([3, true]);
    expect(await client.runs.explanation(id)).toMatchObject({
      workflow: 'Flow',
      run: id,
      memory: expect.arrayContaining([{ of: 'Numbers', what: 'records in flight', most: 2048, seen: 3 }]) as unknown,
    });
    const { run, afterCrash } = await client.explanation('Flow');
    expect([run, afterCrash[0]]).toEqual([
      id,
      { task: 'Numbers', text: 'continues: only what was in flight is processed again' },
    ]);
    await expect(client.explanation('Nothing')).rejects.toMatchObject({ code: 'MILLRACE_UNKNOWN_WORKFLOW' });
    expect((await client.runs.deadLetters(id)).groups).toMatchObject([{ count: 1 }]);
    expect((await client.runs.output(id)).text).toEqual(expect.any(String));
    expect(await client.runs.report(id)).toContain('<html');
    expect((await client.runs.list({ workflow: 'Flow', state: 'completed', limit: 1 })).runs[0]?.id).toBe(id);
    rmSync(join(folder, 'go'));
  },
  LIMIT_MS,
);

it(
  'cancels a run, resumes it, and drains it',
  async () => {
    const { id } = await client.runs.start('Flow');
    for await (const event of client.events({ run: id })) if (event.type === 'run') break;
    await client.runs.cancel(id);
    expect((await client.runs.ended(id)).state).toBe('cancelled');
    expect((await client.runs.resume(id)).state).toBe('queued');
    for await (const { type } of client.events()) {
      if (type === 'change' && (await client.runs.get(id)).state === 'running') break;
    }
    await client.runs.drain(id);
    writeFileSync(join(folder, 'go'), '');
    expect(['drained', 'completed']).toContain((await client.runs.ended(id)).state);
    await expect(client.runs.drain(id)).rejects.toMatchObject({ status: 409 });
    rmSync(join(folder, 'go'));
  },
  LIMIT_MS,
);

it(
  'pauses and makes schedules, and asks for a backfill',
  async () => {
    expect((await client.schedules.pause('Flow', 'nightly', 'holidays')).pause).toMatchObject({ note: 'holidays' });
    expect((await client.schedules.unpause('Flow', 'nightly')).pause).toBeNull();
    expect((await client.schedules.preview({ every: '1h' })).next.length).toBe(10);
    await client.schedules.put('Flow', 'hourly', { every: '1h' });
    expect((await client.schedules.list()).map(({ name }) => name).sort()).toEqual(['hourly', 'nightly']);
    expect(await client.schedules.decisions('Flow', 'hourly', { limit: 5 })).toEqual([]);
    const range = { from: Date.parse('2026-01-05T00:10:00Z'), to: Date.parse('2026-01-05T02:10:00Z') };
    expect((await client.backfills.preview('Flow', 'hourly', range)).count).toBe(2);
    const { id } = await client.backfills.start('Flow', 'hourly', { ...range, requestKey: 'once' });
    expect((await client.backfills.start('Flow', 'hourly', { ...range, requestKey: 'once' })).id).toBe(id);
    expect((await client.backfills.list()).map((one) => one.id)).toEqual([id]);
    expect(await client.backfills.stop(id, 'cancel')).toBe(2);
    await client.schedules.remove('Flow', 'hourly');
  },
  LIMIT_MS,
);

it('reads the rest, and makes tokens whose role the server respects', async () => {
  expect((await client.workflows()).workflows.map(({ name }) => name)).toContain('Flow');
  expect((await client.overview()).counts).toMatchObject({ completed: expect.any(Number) });
  expect((await client.alerts({ limit: 1 })).length).toBe(1);
  expect(await client.triggers.list()).toEqual([]);
  await expect(client.triggers.deliveries('Flow', 'x')).rejects.toMatchObject({ status: 404 });
  const token = await client.tokens.make({ name: 'looker', role: 'viewer' });
  const viewer = serverClient({ url: served.url, token });
  expect(await viewer.me()).toEqual({ name: 'looker', role: 'viewer' });
  await expect(viewer.runs.start('Flow')).rejects.toMatchObject({ status: 403 });
  const made = (await client.tokens.list()).find(({ name }) => name === 'looker');
  await client.tokens.remove(made?.id ?? '');
  await expect(viewer.me()).rejects.toMatchObject({ status: 401 });
  expect((await client.audit())[0]).toMatchObject({ what: 'remove token' });
  expect(existsSync(await client.backup())).toBe(true);
});

it(
  'is what commands use: they list, run to the end, show, and refuse what a server does not have',
  () => {
    const command = (...words: readonly string[]): { out: string; err: string; code: number | null } => {
      const { stdout, stderr, status } = spawnSync(process.execPath, [SCRIPT, ...words, '--server', served.url], {
        cwd: folder,
        env: { ...process.env, MILLRACE_TOKEN: served.token },
        encoding: 'utf8',
      });
      return { out: stdout, err: stderr, code: status };
    };
    expect(command('list').out).toContain('Flow');
    writeFileSync(join(folder, 'go'), '');
    const { out, err, code } = command('run', 'Flow', '--set', 'text=typed');
    expect([err, code]).toEqual([expect.stringContaining('completed\n3 settled, 1 dead letter\n'), 3]);
    expect(readFileSync(join(folder, 'text'), 'utf8')).toBe('typed');
    expect(command('runs', 'show', out.trim()).out).toMatch(/^state +completed$/m);
    expect(command('runs', 'list', out.trim()).out.split('\n').length).toBe(3);
    expect(command('runs', '--json').out).toContain(`"id":"${out.trim()}"`);
    expect(command('runs', 'clean').err).toContain('`serve --keep`');
    expect(command('run', 'Flow', '--threads', '2').err).toContain('--threads cannot be combined with --server');
    expect(command('run', 'Floh').err).toContain("Did you mean 'Flow'?");
    rmSync(join(folder, 'go'));
  },
  LIMIT_MS,
);
