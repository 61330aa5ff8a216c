/** The files that options name, through the command line: none takes the place of anything, and nothing is run. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
const ENTRY_POINT = import.meta.resolve('#lib/index.js');
const CSV = import.meta.resolve('#lib/connectors/csv/index.js');
const INPUT = 'id\n1\n2\n';
const GEO = '{"type":"FeatureCollection","features":[]}';
const FLOW = `
import { defineWorkflow } from '${ENTRY_POINT}';
import { csvSink, csvSource } from '${CSV}';
export const Copy = defineWorkflow({ name: 'Copy', build: (flow) => flow
  .task('Read', csvSource({ path: 'in.csv' }))
  .task('Write', ['Read'], csvSink({ path: 'out.csv', columns: ['id'] })) });
`;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-option-files-'));
  writeFileSync(join(folder, 'copy.mjs'), FLOW);
  writeFileSync(join(folder, 'in.csv'), INPUT);
  writeFileSync(join(folder, 'geo.json'), GEO);
  symlinkSync('out.csv', join(folder, 'link.csv'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(...args: readonly string[]): Promise<{ code: unknown; err: string }> {
  return new Promise((resolve) => {
    const command = [CLI, '--workflow', './copy.mjs', '--quiet', ...args];
    execFile(process.execPath, command, { cwd: folder }, (error, _, err) => {
      resolve({ code: error?.code ?? 0, err });
    });
  });
}

it('refuses them, in one sentence, before anything is opened or kept', async () => {
  const cases: [options: string, sentence: string][] = [
    ['--events in.csv', "--events would write over what 'Read' reads"],
    ['--log in.csv', "--log would write over what 'Read' reads"],
    ['--dead-letters out.csv', "'Write' and the dead letters both write"],
    ['--events same --log same', '--events and --log both write'],
    ['--events copy.mjs', '--events would write over what the import of the workflow reads'],
    ['--log copy.mjs', '--log would write over what the import of the workflow reads'],
    ['--config geo.json --log geo.json', '--log would write over what the config reads'],
    ['--events geo.json', 'it holds something else'],
    ['--events link.csv', "'Write' and --events both write"],
    ['--log out.csv.part', "'Write' and --log both write"],
    ['--events nowhere/events', "the folder 'nowhere' does not exist"],
    ['--events -', 'write --json'],
    ['--openlineage ftp://h', 'a file path or an http(s) URL'],
    ['--openlineage in.csv', "--openlineage would write over what 'Read' reads"],
  ];
  // Two at a time: each is a process.
  for (let at = 0; at < cases.length; at += 2) {
    const pair = cases.slice(at, at + 2);
    const reported = await Promise.all(pair.map(([options]) => run(...options.split(' '))));
    expect(reported.map(({ code }) => code)).toEqual(pair.map(() => 2));
    expect(reported.map(({ err }) => err.trimEnd().split('\n').length)).toEqual(pair.map(() => 1));
    reported.forEach(({ err }, index) => {
      expect(err).toContain(pair[index]?.[1]);
    });
  }
  expect(readdirSync(folder).sort()).toEqual(['copy.mjs', 'geo.json', 'in.csv', 'link.csv']);
  expect(readFileSync(join(folder, 'in.csv'), 'utf8')).toBe(INPUT);
  expect(readFileSync(join(folder, 'geo.json'), 'utf8')).toBe(GEO);
});

it('replaces the recording of an earlier run', async () => {
  for (const _ of [1, 2]) expect(await run('--events', 'events.ndjson', '--ephemeral')).toEqual({ code: 0, err: '' });
  const lines = readFileSync(join(folder, 'events.ndjson'), 'utf8').split('\n');
  expect(lines.filter((line) => line.includes('"run-started"'))).toHaveLength(1);
});
