/** What each entry point loads, counted in a process of its own. */
import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const run = promisify(execFile);

/** A module that calls the hooks of another, given as text. */
const asUrl = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;

const HOOKS = `import { appendFileSync } from 'node:fs';
let log;
export function initialize(path) { log = path; }
export function load(url, context, next) {
  appendFileSync(log, url + '\\n');
  return next(url, context);
}`;

/** Our modules that a script loads, by their paths below dist. */
async function modulesOf(script: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'entry-points-'));
  try {
    const log = join(folder, 'log');
    const hook = `import { register } from 'node:module';
register(${JSON.stringify(asUrl(HOOKS))}, { data: ${JSON.stringify(log)} });`;
    await run(process.execPath, ['--no-warnings', '--import', asUrl(hook), '--input-type=module', '-e', script], {
      cwd: ROOT,
    });
    const urls = (await readFile(log, 'utf8')).split('\n').filter((url) => url.startsWith('file:'));
    const paths = urls.map((url) => relative(join(ROOT, 'dist'), fileURLToPath(url)));
    return paths.filter((path) => !path.startsWith('..'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const roomsOf = (paths: readonly string[]): Set<string> => new Set(paths.map((path) => path.split('/')[0] as string));
/** Every kind of task, made as a workflow file makes it. */
const TASKS = `const tasks = ['sync', 'async', 'cpu', 'aggregate', 'expand', 'operator', 'sink', 'source'];
for (const task of tasks) await import('./dist/tasks/' + task + '-task.js');
await import('./dist/tasks/flow.js');`;

describe('the entry points', () => {
  it('are the entry points that the guide lists', async () => {
    const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');
    const { exports } = JSON.parse(await read('package.json')) as { exports: object };
    const entryPoints = Object.keys(exports).filter((entry) => entry !== './package.json');
    const listed = [...(await read('docs/getting-started.md')).matchAll(/^\| `(millrace[^`]*)`/gm)];
    expect(listed.map(([, entry]) => entry).sort()).toEqual(
      entryPoints.map((entry) => `millrace${entry.slice(1)}`).sort(),
    );
  });

  it('load at most 60 modules with `millrace`, and no connector, store, report, telemetry or ledger', async () => {
    const loaded = await modulesOf(`await import('millrace')`);
    const rooms = roomsOf(loaded);
    expect(loaded).toContain('index.js');
    for (const room of ['connectors', 'connect', 'storage', 'observe', 'ledger', 'jobs', 'commands', 'testing']) {
      expect(rooms).not.toContain(room);
    }
    expect(loaded.filter((path) => path.startsWith('calls/') && !path.startsWith('calls/policies/'))).toEqual([]);
    expect(loaded.length).toBeLessThanOrEqual(60);
  });

  it('load no other connector with those of files, and no transport with that of HTTP', async () => {
    const csv = await modulesOf(`await import('millrace/csv')`);
    expect(csv.filter((path) => /^connectors\/(?!csv\/|files\/)/.test(path))).toEqual([]);
    const ndjson = await modulesOf(`await import('millrace/ndjson')`);
    expect(ndjson.filter((path) => /^connectors\/(?!ndjson\/|files\/|json\/)/.test(path))).toEqual([]);
    const http = await modulesOf(`await import('millrace/http')`);
    expect(http.filter((path) => /^connectors\/(csv|websocket)\/(?!web-socket-options)/.test(path))).toEqual([]);
  });

  it('define tasks of every kind without the operators, the calls or the ledger of the engine', async () => {
    const loaded = await modulesOf(TASKS);
    const engine = loaded.filter((path) => /^(stream|ledger|runtime|workers|observe)\//.test(path));
    const calls = loaded.filter((path) => path.startsWith('calls/') && !path.startsWith('calls/policies/'));
    expect([engine, calls]).toEqual([[], []]);
    expect(loaded.length).toBeLessThanOrEqual(36);
  });
});
