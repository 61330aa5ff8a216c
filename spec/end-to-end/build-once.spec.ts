/** A command parses the configuration once and builds the graph once, whatever it does with the run. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
const ENTRY_POINT = import.meta.resolve('#lib/index.js');
const CSV = import.meta.resolve('#lib/connectors/csv/index.js');

/**
 * Writes a line to the file `calls` for each call of its builder, of its schema and of its dead letters. The builder
 * reads `needed`, which the end of a run removes where there is a file `archive`.
 */
const FLOW = `
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { defineWorkflow, sourceTask, syncTask } from '${ENTRY_POINT}';
import { csvSink } from '${CSV}';
const note = (what) => appendFileSync('calls', what + '\\n');
export const Counted = defineWorkflow({
  name: 'Counted',
  config: { '~standard': { version: 1, vendor: 'spec', validate: (value) => (note('parse'), { value }) } },
  deadLetters: () => void note('letters'),
  onEnd: () => { if (existsSync('archive')) rmSync('needed'); },
  build: (flow, config, context) => {
    note('build');
    readFileSync('needed');
    context.notice('Made while it was built');
    return flow
      .task('Numbers', sourceTask([1, 2, 3]))
      .task('Work', ['Numbers'], syncTask((n) => {
        if (n === 2 && existsSync('dies')) process.exit();
        if (n === 3 && !existsSync('mended')) throw new Error('no answer');
        return { n };
      }))
      .task('Write', ['Work'], csvSink({ path: 'out.csv', columns: ['n'] }));
  },
});
`;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-once-'));
  writeFileSync(join(folder, 'flow.mjs'), FLOW);
  writeFileSync(join(folder, 'needed'), '');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly err: string;
  /** What was called, in order. */
  readonly calls: readonly string[];
}

function millrace(...args: string[]): Ended {
  const { status, stderr } = spawnSync(process.execPath, [CLI, ...args], { cwd: folder, encoding: 'utf8' });
  const file = join(folder, 'calls');
  const calls = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  rmSync(file, { force: true });
  return { code: status, err: stderr, calls };
}

const touch = (name: string): void => {
  appendFileSync(join(folder, name), '');
};
const onlyRun = (): string => readdirSync(join(folder, '.millrace/runs'))[0] ?? '';
const ONCE = ['parse', 'build', 'letters'];

describe('the configuration is parsed once and the graph is built once', () => {
  it.each([
    ['a run of which nothing is kept', ['run', '--ephemeral']],
    ['a kept run', ['run']],
    ['a kept run whose files are compared', ['run', '--events', 'events.ndjson', '--set', 'a=1']],
  ])('by %s, and a notice of the builder is shown', (_what, args) => {
    const { code, err, calls } = millrace(...args, '--workflow', './flow.mjs');
    expect([code, calls]).toEqual([3, ONCE]);
    expect(err).toContain('Made while it was built');
    expect(err).toContain('Wrote out.csv');
  });

  it('by a resume', () => {
    touch('dies');
    expect(millrace('run', '--workflow', './flow.mjs').code).toBe(1);
    rmSync(join(folder, 'dies'));
    const { code, calls } = millrace('resume', onlyRun());
    expect([code, calls]).toEqual([3, ONCE]);
  });

  it('by a replay, and by what only looks', () => {
    millrace('run', '--workflow', './flow.mjs');
    touch('mended');
    // It looks whether the letters could be written.
    expect(millrace('validate', '--workflow', './flow.mjs').calls).toEqual([...ONCE]);
    expect(millrace('graph', '--workflow', './flow.mjs').calls).toEqual(['parse', 'build']);
    expect(millrace('why', onlyRun(), 'Numbers#2').calls).toEqual(['parse', 'build']);
    const { code, calls } = millrace('dead-letters', 'replay', onlyRun());
    expect([code, calls]).toEqual([0, ONCE]);
  });
});

it('a run that completed exits with 0 where its graph could not be built a second time', () => {
  touch('mended');
  touch('archive');
  const { code, err } = millrace('run', '--workflow', './flow.mjs');
  expect(existsSync(join(folder, 'needed'))).toBe(false);
  expect([code, err.includes('Wrote out.csv')]).toEqual([0, true]);
});
