/** Mistakes of a first hour: each is refused, or explained with its place. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Arguments } from '#lib/commands/arguments.js';
import { loadJob, type LoadedJob } from '#lib/jobs/load-job.js';
import { writeReport } from '#lib/jobs/run-report.js';
import type { RunFolder } from '#lib/storage/run-folder.js';

const ENTRY_POINT = import.meta.resolve('#lib/index.js');
const head = `import { defineWorkflow, sourceTask, syncTask } from '${ENTRY_POINT}';\n`;
import { placeIn } from '../support/place-in.js';
const tasks = "f.task('S', sourceTask([1])).task('K', ['S'], syncTask((x) => x))";

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-first-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string, text: string): void => {
  writeFileSync(join(folder, name), text);
};
const load = (workflow: string, settings: readonly string[] = []): Promise<LoadedJob> =>
  loadJob({ workflow, config: null, settings, deadLetters: null }, placeIn(folder));

it('an error in `build` is reported with the name of the workflow and its place', async () => {
  write(
    'flow.mjs',
    `${head}export const A = defineWorkflow({ name: 'A', build: (f) => {\n  return f.missing.task;\n} });`,
  );
  await expect(load('./flow.mjs')).rejects.toThrow(
    /^The graph of 'A' cannot be built: TypeError: Cannot read properties of undefined \(reading 'task'\) \(at flow\.mjs:3\)$/,
  );
});

it('a syntax error in an imported module is reported for that module', async () => {
  write(
    'flow.mjs',
    `${head}import './helper.mjs';\nexport const A = defineWorkflow({ name: 'A', build: (f) => ${tasks} });`,
  );
  write('helper.mjs', "import './deep.mjs';\n");
  write('deep.mjs', 'export const a = 1;\nexport const b = ;\n');
  await expect(load('./flow.mjs')).rejects.toThrow(/SyntaxError: .*\(at deep\.mjs:2\)$/);
});

it('a setting is refused where the workflow has no configuration, and only there', async () => {
  write('none.mjs', `${head}export const A = defineWorkflow({ name: 'A', build: (f) => ${tasks} });`);
  await expect(load('./none.mjs', ['a=1'])).rejects.toThrow(
    "The setting 'a' has no effect: workflow 'A' has no configuration. Remove it, or give `build` a second parameter",
  );
  write('takes.mjs', `${head}export const A = defineWorkflow({ name: 'A', build: (f, config = {}) => ${tasks} });`);
  write('method.mjs', `${head}export const A = defineWorkflow({ name: 'A', build(f, { a }) { return ${tasks}; } });`);
  expect((await load('./takes.mjs', ['a=1'])).prepared.config).toEqual({ a: 1 });
  expect((await load('./method.mjs', ['a=1'])).prepared.config).toEqual({ a: 1 });
});

it('a report replaces a page or an empty file, and no other file unless that is forced', async () => {
  write('events.ndjson', '');
  write('in.csv', 'id\n1\n');
  write('old.html', '<!doctype html>\nold');
  const run = { file: (name: string) => join(folder, name) } as unknown as RunFolder;
  const place = placeIn(folder);
  await expect(writeReport(run, place, 'in.csv')).rejects.toThrow(
    'Expected the report to go to a new file or an HTML page, got',
  );
  expect(readFileSync(join(folder, 'in.csv'), 'utf8')).toBe('id\n1\n');
  // There are no events, so a file that may be replaced fails later.
  for (const [out, force] of [
    ['old.html', false],
    ['new.html', false],
    ['in.csv', true],
  ] as const) {
    await expect(writeReport(run, place, out, { force })).rejects.not.toThrow('Expected the report to go');
  }
});

it('an empty word is no workflow, and a secret in a wrong option is not printed', () => {
  expect(() => new Arguments({ _: ['run'], name: '' }, {}, ['run'], ['name'])).toThrow(
    "Expected <name> to be text that is not empty, got ''",
  );
  const options = { set: {} };
  expect(() => new Arguments({ _: ['run'], password: 'hunter2' }, options, ['run'])).toThrow('write --set password=…');
});
