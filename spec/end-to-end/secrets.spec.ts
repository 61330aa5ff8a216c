/**
 * Canaries in every place of a configuration: none of them may stand in a file of a run or in an output of a command,
 * however the run ends.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
const ENTRY_POINT = import.meta.resolve('#lib/index.js');
const CSV = import.meta.resolve('#lib/connectors/csv/index.js');
const HTTP = import.meta.resolve('#lib/connectors/http/index.js');

const ENVIRONMENT = {
  CANARY_NOTE: 'canary-note-variable',
  CANARY_URL_PASSWORD: 'canary-url-password',
  CANARY_URL_TOKEN: 'canary-url-token',
  CANARY_SIGNS: 'canary "signs" & <ü> + / % \' ?',
  CANARY_LISTED: 'canary-listed-variable',
  CANARY_SET: 'canary-set-variable',
  // Not used for the address of the server, but known to each request.
  HTTPS_PROXY: 'http://proxy-user:canary-proxy-password@127.0.0.1:1',
};
const IN_FILE = {
  smtp_pass: 'canary-smtp-pass',
  dsn: 'postgres://app:canary-dsn-password@db.example/x',
  jwt: 'canary-jwt-value',
  connection: 'Server=db;Password=canary-connection;Database=x',
  headers: [
    ['authorization', 'Bearer canary-header-pair'],
    { name: 'x-api-key', value: 'canary-header-named' },
    'cookie: canary-header-text',
  ],
  api: { 'x-api-key': 'canary-sent-header' },
};
const SETTINGS = ['--set', 'api_key=canary-set-value', '--set', 'db.url=mysql://u:canary-set-password@h/d'];
const CANARIES = [
  ...Object.entries(ENVIRONMENT).flatMap(([name, value]) => (name.startsWith('CANARY') ? [value] : [])),
  'canary-proxy-password',
  ...['canary-smtp-pass', 'canary-dsn-password', 'canary-jwt-value', 'canary-connection', 'canary-header-pair'],
  ...['canary-header-named', 'canary-header-text', 'canary-sent-header', 'canary-set-value', 'canary-set-password'],
];

/** Each record fails, with a message that holds a canary in some encoding, or ends with a reason that does. */
const FLOW = `
import { asyncTask, defineWorkflow, skip, sourceTask, syncTask } from '${ENTRY_POINT}';
import { csvSink } from '${CSV}';
import { requestTask } from '${HTTP}';
import { existsSync } from 'node:fs';
const CANARIES = ${JSON.stringify(CANARIES)};
const base64 = (text) => Buffer.from(text).toString('base64');
const FORMS = [(c) => c, encodeURIComponent, base64, (c) => base64('user:' + c), (c) => JSON.stringify({ c }), (c) => c.toUpperCase(),
  (c) => c.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')];
const flow = (name, onFailure, pause) => defineWorkflow({ name, build: (flow, config, context) => {
  context.notice('Built with ' + JSON.stringify(config));
  const at = (i) => FORMS[i % FORMS.length](CANARIES[Math.floor(i / FORMS.length) % CANARIES.length]);
  return flow
    .task('Rows', sourceTask(Array.from({ length: CANARIES.length * FORMS.length }, (_, i) => ({ i, id: i % 2 ? '..' : 'x' }))))
    .task('Work', ['Rows'], asyncTask(async (row) => {
      if (pause) while (!existsSync('go')) await new Promise((done) => setTimeout(done, 20));
      if (row.i % 5 === 4) return skip('not for ' + at(row.i));
      if (row.i % 5 < 3) throw new Error('cannot use ' + at(row.i) + ' of ' + config.url, { cause: new Error('because of ' + at(row.i)) });
      return { ...row, field: at(row.i), list: CANARIES };
    }, { onFailure, concurrency: 4 }))
    .task('Ask', ['Work'], requestTask({ url: config.url, headers: config.api, body: (row) => row, retry: { attempts: 1 } }))
    .task('Save', ['Ask'], csvSink({ path: name + '.out.csv', columns: ['i'] }));
} });
export const Letters = flow('Letters', 'dead-letter', false);
export const Fails = flow('Fails', 'fail', false);
export const Stopped = flow('Stopped', 'dead-letter', true);
export const Broken = defineWorkflow({ name: 'Broken', build: (flow, config) => { throw new Error('cannot build with ' + JSON.stringify(config)); } });
`;

let folder = '';
let server: Server;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-secrets-'));
  // Echoes what it gets, as some upstreams do.
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      response.writeHead(400, { 'content-type': 'text/plain' });
      response.end(`${request.url ?? ''} ${JSON.stringify(request.headers)} ${body}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const config = {
    ...IN_FILE,
    note: 'see ${CANARY_NOTE}',
    signs: '${CANARY_SIGNS}',
    nested: { list: ['${CANARY_LISTED}'] },
    url: `http://user:\${CANARY_URL_PASSWORD}@127.0.0.1:${port}/{id}?token=\${CANARY_URL_TOKEN}`,
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'flow.mjs'), FLOW);
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: unknown;
  readonly text: string;
}

function millrace(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: folder, env: { ...process.env, ...ENVIRONMENT }, maxBuffer: 2 ** 28 };
    execFile(process.execPath, [CLI, ...args], options, (error, out, err) => {
      resolve({ code: error === null ? 0 : error.code, text: `${out}\n${err}` });
    });
  });
}

const runArgs = (name: string): readonly string[] => [
  ...['run', `./flow.mjs#${name}`, '--config', 'config.json', ...SETTINGS, '--set', 'extra=${CANARY_SET}'],
  ...['--log', `${name}.log`, '--log-level', 'debug', '--openlineage', `${name}.lineage.ndjson`, '--debug'],
];
const idIn = (text: string): string => /(\d{8}T\d{6}-[0-9a-f]{8})/.exec(text)?.[1] ?? '';

/** The canaries in a text, in any of the forms that messages hold. */
function canariesIn(text: string): readonly string[] {
  const base64 = (value: string): string => Buffer.from(value).toString('base64').replace(/=+$/, '').slice(0, -1);
  return CANARIES.filter((canary) =>
    [canary, encodeURIComponent(canary), JSON.stringify(canary).slice(1, -1), base64(canary), base64(`user:${canary}`)]
      .concat(canary.replaceAll('"', '&quot;'))
      .some((form) => text.toLowerCase().includes(form.toLowerCase())),
  );
}

/** Every file of the folder with a canary, except those that the user wrote. */
function leaks(): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !['config.json', 'flow.mjs'].includes(path.slice(folder.length + 1)))
    .flatMap((path) => canariesIn(readFileSync(path, 'utf8')).map((canary) => `${path}: ${canary}`));
}

it('no secret is written by a run with dead letters, its replay and its report', async () => {
  const { code, text } = await millrace(...runArgs('Letters'));
  expect([code, canariesIn(text)]).toEqual([3, []]);
  const id = idIn(text);
  for (const args of [
    ['report', id],
    ['runs', 'show', id],
    ['runs', 'show', id, '--json'],
    ['dead-letters', id],
    ['dead-letters', id, '--json'],
    ['why', id, 'Rows#0', ...SETTINGS],
    ['dead-letters', 'replay', id, ...SETTINGS],
    ['dead-letters', 'replay', id, '--set', 'api_key=canary-set-value'],
  ]) {
    const { text: said } = await millrace(...args);
    expect([args, canariesIn(said)]).toEqual([args, []]);
  }
  expect(leaks()).toEqual([]);
  const letters = readFileSync(join(folder, '.millrace/runs', id, 'dead-letters.ndjson'), 'utf8')
    .trim()
    .split('\n');
  expect(letters.length).toBeGreaterThan(20);
});

it('no secret is written by a run that fails, is built wrongly, or reports JSON', async () => {
  for (const [name, ...more] of [['Fails'], ['Broken'], ['Letters', '--json'], ['Fails', '--ephemeral']] as const) {
    const { code, text } = await millrace(...runArgs(name), ...more);
    expect([name, canariesIn(text)]).toEqual([name, []]);
    expect(text.length).toBeGreaterThan(100);
    expect([1, 2, 3]).toContain(code);
  }
  expect(leaks()).toEqual([]);
});

it('a run that was stopped resumes with the variables, and with the settings that were not kept given again', async () => {
  const text = await new Promise<string>((resolve) => {
    const child = spawn(process.execPath, [CLI, ...runArgs('Stopped'), '--json'], {
      cwd: folder,
      env: { ...process.env, ...ENVIRONMENT },
    });
    let said = '';
    let isStopped = false;
    const onText = (chunk: Buffer): void => {
      said += chunk.toString();
      if (said.includes('"task":"Work"') && !isStopped) isStopped = child.kill('SIGTERM');
      if (said.includes('"draining"')) writeFileSync(join(folder, 'go'), '');
    };
    child.stdout.on('data', onText);
    child.stderr.on('data', onText);
    child.once('close', () => {
      resolve(said);
    });
  });
  expect(canariesIn(text)).toEqual([]);
  const id = idIn(text);
  const refused = await millrace('resume', id);
  expect(refused.code).toBe(2);
  expect(refused.text).toContain('--set api_key=… --set db.url=…');
  expect((await millrace('resume', id, ...SETTINGS, '--set', 'other=1')).text).toContain("got 'other'");
  const resumed = await millrace('resume', id, ...SETTINGS, '--debug');
  expect([resumed.code, canariesIn(resumed.text)]).toEqual([3, []]);
  expect(leaks()).toEqual([]);
});
