/** The records of a run over the API: its output in parts, its dead letters, their replay, and the story of a record. */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { ServerQueue } from '#lib/client/shapes/server.js';
import { serverClient, type ServerClient } from '#lib/client/server-client.js';
import { end, newFolder, removeFolder, SCRIPT, serve, until, type Served } from './support/served.js';

const LIMIT_MS = 60_000;
const LINES = 6000;
/** Gives up each number above 2 until the file `mended` exists. Prints many lines. */
const FLOW = `
import { existsSync } from 'node:fs';
import { asyncTask, defineWorkflow, sinkTask, sourceTask } from '${import.meta.resolve('#lib/index.js')}';
const config = { '~standard': { version: 1, vendor: 'spec', validate: (value) => ({ value: value ?? {} }) } };
export const Mended = defineWorkflow({ name: 'Mended', config, params: ['a=b.c'], serving: { pools: ['few'] },
  build: (flow, given) => flow
    .task('Numbers', sourceTask([1, 2, 3, 4, 5].map((id) => ({ id, name: 'n' + id, given: given['a=b.c'] }))))
    .task('Check', ['Numbers'], asyncTask(async (one) => {
      if (one.id === 1) for (let line = 0; line < ${LINES}; line++) console.log('line ' + line + ' äöü ' + one.given);
      if (one.id > 2 && !existsSync('mended')) throw new Error('Number ' + one.id + ' is too large');
      return one;
    }))
    .task('Keep', ['Check'], sinkTask(() => {})) });
`;

let folder: string;
let served: Served;
let client: ServerClient;
let id: string;
beforeAll(async () => {
  folder = newFolder();
  writeFileSync(join(folder, 'workflows', 'mended.js'), FLOW);
  served = await serve(folder);
  client = serverClient({ url: served.url, token: served.token });
  ({ id } = await client.runs.start('Mended', { settings: { 'a=b.c': 'x=y.z' } }));
  expect((await client.runs.ended(id)).deadLetters).toBe(3);
}, LIMIT_MS);
afterAll(async () => {
  writeFileSync(join(folder, 'go'), '');
  await end(served);
  removeFolder(folder);
});

it('the output of a run can be read in parts, in both directions, and searched', async () => {
  const last = await client.runs.output(id);
  expect([last.to, last.text.endsWith(`line ${LINES - 1} äöü x=y.z\n`)]).toEqual([last.size, true]);
  const texts = [last.text];
  for (let { from } = last; from > 0;) {
    const part = await client.runs.output(id, { before: from });
    expect([part.to, part.from < from]).toEqual([from, true]);
    texts.unshift(part.text);
    ({ from } = part);
  }
  let forward = '';
  for (let at = 0; at < last.size;) {
    const part = await client.runs.output(id, { after: at });
    forward += part.text;
    at = part.to;
  }
  expect(texts.length).toBeGreaterThan(1);
  expect(forward).toBe(texts.join(''));
  expect(forward.match(/line \d+ äöü/g)).toHaveLength(LINES);
  const found = await client.runs.output(id, { find: 'line 77 ' });
  expect(found.text.startsWith('line 77 äöü')).toBe(true);
  expect(await client.runs.output(id, { find: 'line 77 ', before: found.from })).toMatchObject({ text: '', to: 0 });
});

it('dead letters are shown with their records, page by page', async () => {
  const [group] = (await client.runs.deadLetters(id)).groups;
  expect(group).toMatchObject({ task: 'Check', count: 3 });
  const { task = '', code = '', message = '' } = group ?? {};
  const first = await client.runs.letters(id, { task, code, message, limit: 2 });
  expect(first.letters.map(({ record }) => (JSON.parse(record) as { id: number }).id)).toEqual([3, 4]);
  expect(first.hasMore).toBe(true);
  const rest = await client.runs.letters(id, { task, code, message, skip: 2 });
  expect(rest).toMatchObject({ letters: [{ name: 'Numbers#4', attempts: 1 }], hasMore: false });
});

it(
  'the story of a record is told by a process of its own, whatever its key looks like',
  async () => {
    expect(await client.runs.why(id, 'n3')).toMatchObject([{ task: 'Check', record: 'Numbers#2' }]);
    expect(await client.runs.why(id, '--help')).toEqual([]);
    await expect(client.runs.why('nothing', 'n3')).rejects.toMatchObject({ status: 404 });
  },
  LIMIT_MS,
);

it(
  'a replay works on the dead letters alone, and leaves those that fail again',
  async () => {
    const before = await client.runs.processes(id);
    expect(before).toMatchObject([{ number: 1, outcome: 'completed', isAtWork: false }]);
    await client.runs.replay(id);
    expect(await client.runs.ended(id)).toMatchObject({ state: 'completed', deadLetters: 3, problem: '' });
    writeFileSync(join(folder, 'mended'), '');
    await client.runs.replay(id);
    expect(await client.runs.ended(id)).toMatchObject({ state: 'completed', deadLetters: 0 });
    expect((await client.runs.processes(id)).map(({ outcome }) => outcome)).toEqual(Array(3).fill('completed'));
    expect((await client.runs.deadLetters(id)).groups).toEqual([]);
    await expect(client.runs.replay(id)).rejects.toMatchObject({ status: 409 });
  },
  LIMIT_MS,
);

it(
  'commands read the whole output, the dead letters and the story of a record from the server, and replay',
  async () => {
    const command = (...words: readonly string[]): { readonly out: string; readonly err: string } => {
      const { stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...words, '--server', served.url], {
        cwd: tmpdir(),
        env: { ...process.env, MILLRACE_TOKEN: served.token },
        encoding: 'utf8',
      });
      return { out: stdout, err: stderr };
    };
    expect(command('logs', id, '--process', '1', '--all').out.match(/line \d+ /g)).toHaveLength(LINES);
    expect(command('dead-letters', id).err).toBe(`Run ${id} has no dead letters\n`);
    rmSync(join(folder, 'mended'));
    const { id: other } = await client.runs.start('Mended');
    await client.runs.ended(other);
    expect(command('dead-letters', other).out).toContain('is too large');
    expect(command('why', other, 'Numbers#3').out).toContain('given up after 1 attempt');
    expect(command('dead-letters', 'replay', other).err).toBe(`Run ${other} is queued, and replays its dead letters\n`);
    await client.runs.ended(other);
  },
  LIMIT_MS,
);

it(
  'the queue shows who takes the places of a pool, and why others wait',
  async () => {
    const started = await client.runs.start('Flow');
    let queue: ServerQueue | undefined;
    await until(async () => {
      queue = await client.queue();
      return queue.pools[0]?.runs.includes(started.id) === true;
    });
    expect(queue).toMatchObject({ pools: [{ name: 'few', size: 9 }], runs: [{ pools: ['few'], priority: 1 }] });
    await client.runs.cancel(started.id);
    expect((await client.runs.ended(started.id)).state).toBe('cancelled');
  },
  LIMIT_MS,
);
