/** Watching a run through the command line: a real process, scraped and recorded. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { lastValueFrom, toArray } from 'rxjs';
import { readEvents } from '#lib/storage/index.js';
import { parsePrometheus } from '../support/prometheus.js';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
const ENTRY_POINT = import.meta.resolve('#lib/index.js');

/** Its records wait until a file says that they may go on. */
const HELD_FLOW = `
import { defineWorkflow, sourceTask, asyncTask } from '${ENTRY_POINT}';
import { existsSync } from 'node:fs';
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
export const Held = defineWorkflow({ name: 'Held', build: (flow) => flow
  .task('Numbers', sourceTask([1, 2, 3]))
  .task('Step', ['Numbers'], asyncTask(async (n) => { while (!existsSync('go')) await sleep(20); return n; })) });
`;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-watching-'));
  writeFileSync(join(folder, 'held.mjs'), HELD_FLOW);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(
  args: readonly string[],
  onText: (text: string) => void,
  workflow: readonly string[] = ['--workflow', './held.mjs'],
): Promise<{ code: number | null; err: string }> {
  const child = spawn(process.execPath, [CLI, 'run', ...workflow, ...args], { cwd: folder });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    onText(err);
  });
  return new Promise((resolve) => {
    child.once('close', (code) => {
      resolve({ code, err });
    });
  });
}

it('says where the metrics are, serves them while the run is on, and records its events', async () => {
  let found: (url: string) => void = () => undefined;
  const url = new Promise<string>((resolve) => {
    found = resolve;
  });
  const ended = run(['--metrics-port', '0', '--events', 'events.ndjson'], (text) => {
    const [, where] = /Metrics at (http:\S+)\n/.exec(text) ?? [];
    if (where !== undefined) found(where);
  });
  const scrape = async (): Promise<string> => (await fetch(await url)).text();
  let text = await scrape();
  // The first measure is taken after a second.
  while (!text.includes('millrace_records_in_total')) text = await scrape();
  const families = parsePrometheus(text);
  expect(families.get('millrace_records_in_flight')?.samples).toContainEqual({
    name: 'millrace_records_in_flight',
    labels: { workflow: 'Held', task: 'Step' },
    value: 3,
  });
  writeFileSync(join(folder, 'go'), '');
  expect((await ended).code).toBe(0);
  await expect(scrape()).rejects.toThrow();
  const events = await lastValueFrom(readEvents(join(folder, 'events.ndjson')).pipe(toArray()));
  expect(events[0]).toMatchObject({
    type: 'run-started',
    workflow: 'Held',
    graph: [{ name: 'Numbers' }, { name: 'Step' }],
  });
  expect(events.at(-1)).toMatchObject({
    type: 'run-ended',
    outcome: 'completed',
    summary: { tasks: { Step: { out: 3 } } },
  });
}, 60_000);

it('keeps nothing of a run that did not start, because a watcher or the workflow was refused', async () => {
  writeFileSync(
    join(folder, 'twice.mjs'),
    HELD_FLOW.replace('asyncTask(async', "asyncTask(async (n) => n))\n  .task('Step', ['Numbers'], asyncTask(async"),
  );
  for (const args of [
    ['--metrics-port', '99999'],
    ['--log', 'nowhere/run.log'],
    ['--log', '.'],
    ['--workflow', './twice.mjs'],
  ]) {
    const kept = ['--runs', 'refused'];
    const { code, err } = await run([...args, ...kept], () => undefined, args[0] === '--workflow' ? [] : undefined);
    expect([code, err]).toEqual([2, expect.stringMatching(/^MILLRACE_[A-Z_]+: .*\n$/)]);
    expect(existsSync(join(folder, 'refused')) ? readdirSync(join(folder, 'refused')) : []).toEqual([]);
  }
}, 60_000);

it('refuses a port that is in use before anything runs, and reports when the disk of the events is full', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const refused = await run(['--metrics-port', String(port)], () => undefined);
  other.close();
  expect(refused).toEqual({
    code: 2,
    err: `MILLRACE_USAGE: Cannot serve metrics on port ${port} of 127.0.0.1: it is in use. Name another port, or 0 for a free one\n`,
  });
  writeFileSync(join(folder, 'go'), '');
  const unrecorded = await run(['--events', '/dev/full', '--quiet'], () => undefined);
  expect(unrecorded.code).toBe(0);
  expect(unrecorded.err).toContain(
    'MILLRACE_FILE: Cannot write events to /dev/full: the disk is full; free some space or choose another place\n',
  );
}, 60_000);
