/** What a server answers while it does not know its workflows yet: nothing is refused that it could do some seconds later. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { end, hookHeaders, newFolder, removeFolder, startServer, until, type Served } from './support/served.js';

const LIMIT_MS = 60_000;

let served: Served | undefined;
afterEach(async () => {
  if (served === undefined) return;
  await end(served);
  removeFolder(served.folder);
  served = undefined;
});

/** Starts a server beside this workflow, and sends a message to its webhook. */
async function startBeside(code: string): Promise<Served> {
  const folder = newFolder();
  writeFileSync(join(folder, 'workflows', 'hooked.js'), code);
  return (served = await startServer(folder));
}

const hook = async ({ ask }: Served, id: string): Promise<number> => {
  const { status } = await ask('/hooks/Hooked/hook', { method: 'POST', body: {}, token: '', headers: hookHeaders(id) });
  return status;
};

it(
  'a webhook and a request for a run wait until the workflows are known, and the overview does not',
  async () => {
    const server = await startBeside(`
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineWorkflow, sinkTask, sourceTask } from '${import.meta.resolve('#lib/index.js')}';
// The folder is removed at the end, and a process of a run must not wait for ever.
while (!existsSync('gate') && existsSync('workflows')) await sleep(20);
export const Hooked = defineWorkflow({ name: 'Hooked', triggers: { hook: { webhook: 'HOOK_SECRET' } },
  build: (flow) => flow.task('One', sourceTask([1])).task('Two', ['One'], sinkTask(() => {})) });
`);
    const early = [
      hook(server, 'first'),
      server.ask('/workflows/Hooked/runs', { method: 'POST', body: { settings: {} } }).then(({ status }) => status),
      server.ask('/workflows').then(({ body }) => JSON.stringify(body).includes('"Hooked"')),
      server.ask('/triggers').then(({ body }) => JSON.stringify(body).includes('"Hooked"')),
    ];
    expect((await server.ask('/overview')).body).toMatchObject({ isDescribed: false, next: [] });
    writeFileSync(join(server.folder, 'gate'), '');
    expect(await Promise.all(early)).toEqual([202, 200, true, true]);
    expect((await server.ask('/overview')).body).toMatchObject({ isDescribed: true });
    const completed = async (): Promise<unknown> =>
      ((await server.ask('/overview')).body['counts'] as { completed: number }).completed;
    await until(async () => (await completed()) === 2);
  },
  LIMIT_MS,
);

it(
  'the message of a webhook whose workflow does not load is to be sent again',
  async () => {
    const server = await startBeside('export const Hooked = defineWorkflow(;');
    await until(async () => (await server.ask('/overview')).body['isDescribed'] === true);
    expect(await hook(server, 'first')).toBe(503);
  },
  LIMIT_MS,
);

it(
  'workflows that cannot be described are described again after a pause',
  async () => {
    const server = await startBeside(`
import { appendFileSync } from 'node:fs';
import { defineWorkflow, sourceTask } from '${import.meta.resolve('#lib/index.js')}';
appendFileSync('loads', Date.now() + ' ');
process.exit(3);
export const Hooked = defineWorkflow({ name: 'Hooked', build: (flow) => flow.task('One', sourceTask([1])) });
`);
    const path = join(server.folder, 'loads');
    const loads = (): number[] => (existsSync(path) ? readFileSync(path, 'utf8').trim().split(' ').map(Number) : []);
    await until(() => loads().length > 1);
    const [first = NaN, second = NaN] = loads();
    expect(second - first).toBeGreaterThan(4000);
  },
  LIMIT_MS,
);
