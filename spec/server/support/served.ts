/** A folder with a workflow, and the real server for it, as a process. */
import { createHmac } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

/** The secret of webhooks. */
export const HOOK_SECRET = 'the secret of the webhook';
export const SCRIPT = fileURLToPath(new URL('../../../../dist/cli.js', import.meta.url));

/** Numbers, each of which waits for the file `go`; the text of its configuration is its result. */
export const FLOW = `
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow, sinkTask, sourceTask } from '${import.meta.resolve('#lib/index.js')}';
const config = { '~standard': { version: 1, vendor: 'spec', validate: (value) => ({ value: value ?? {} }) } };
export const Flow = defineWorkflow({ name: 'Flow', description: 'Waits <img src=x onerror=pwned=1>', config, params: ['text'],
  schedules: __SCHEDULES__, serving: { alertDeadLetters: 0, pools: ['few'], maxRuns: 9, priority: 1 },
  build: (flow, { text, path }) => flow
    .task('Numbers', sourceTask([1, 2, 3]))
    .task('Wait <b>here</b>', ['Numbers'], asyncTask(async (n) => { while (!existsSync('go')) await sleep(20); if (n === 3) throw new Error('<script>pwned=1</script>'); return n; }))
    .task('Write', ['Wait <b>here</b>'], sinkTask(() => { writeFileSync('text', String(text)); })) });
`;

export interface Served {
  readonly folder: string;
  readonly url: string;
  readonly signInUrl: string;
  readonly token: string;
  readonly process: ChildProcess;
  /** An answer of the API, with its status. */
  ask(
    path: string,
    options?: Ask,
  ): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }>;
}

export interface Ask {
  readonly method?: string;
  readonly body?: unknown;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function newFolder(schedules: object = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-serve-'));
  mkdirSync(join(folder, 'workflows'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'workflows', 'flow.js'), FLOW.replace('__SCHEDULES__', JSON.stringify(schedules)));
  return folder;
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}

/** Writes one more workflow, of one number, into a folder. Its configuration is written to the file of its name. */
export function addWorkflow(folder: string, name: string, definition: object): void {
  const code = `
import { writeFileSync } from 'node:fs';
import { defineWorkflow, sinkTask, sourceTask } from '${import.meta.resolve('#lib/index.js')}';
const config = { '~standard': { version: 1, vendor: 'spec', validate: (value) => ({ value: value ?? {} }) } };
export const ${name} = defineWorkflow({ name: '${name}', config, ...${JSON.stringify(definition)},
  build: (flow, given) => flow.task('One', sourceTask([1])).task('Write', ['One'], sinkTask(() => { writeFileSync('${name}.json', JSON.stringify(given)); })) });
`;
  writeFileSync(join(folder, 'workflows', `${name.toLowerCase()}.js`), code);
}

/** Starts the server, and waits until it knows its workflows. */
export async function serve(folder: string, ...words: readonly string[]): Promise<Served> {
  const served = await startServer(folder, ...words);
  await until(async () => JSON.stringify((await served.ask('/workflows')).body).includes('"Flow"'));
  return served;
}

/** Starts the server, and waits until it listens. */
export async function startServer(folder: string, ...words: readonly string[]): Promise<Served> {
  const server = spawn(
    process.execPath,
    [SCRIPT, 'serve', '--port', '0', ...(words.includes('--pool') ? [] : ['--pool', 'few=9']), ...words],
    {
      cwd: folder,
      env: { ...process.env, CANARY: 'a-secret-canary', HOOK_SECRET },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let err = '';
  server.stderr.on('data', (data: Buffer) => {
    err += data.toString();
  });
  const signInUrl = await new Promise<string>((resolve, reject) => {
    createInterface(server.stdout).once('line', resolve);
    server.once('exit', () => {
      reject(new Error(err));
    });
  });
  const url = new URL(signInUrl).origin;
  const token = readFileSync(join(folder, '.millrace', 'server', 'token'), 'utf8').trim();
  const ask: Served['ask'] = async (path, { method = 'GET', body, token: given = token, headers = {} } = {}) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        ...(given === '' ? {} : { authorization: `Bearer ${given}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return { folder, url, signInUrl, token, process: server, ask };
}

/** The headers of a message of a webhook with this id and the body `{}`. */
export function hookHeaders(id: string): Readonly<Record<string, string>> {
  const timestamp = Math.floor(Date.now() / 1000);
  const signature = createHmac('sha256', HOOK_SECRET).update(`${id}.${timestamp}.{}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': `v1,${signature}` };
}

/** Ends the server by a signal, and waits for its end. */
export async function end({ process: server }: Served, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  if (server.exitCode !== null || server.signalCode !== null) return server.exitCode;
  const over = new Promise<number | null>((resolve) => server.once('exit', resolve));
  server.kill(signal);
  return over;
}

export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await sleep(50);
}
