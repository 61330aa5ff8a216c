/**
 * Kept runs and what happens to them: a process that is stopped and wakes up, damaged files, a replay that dies, a
 * move.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
const ENTRY_POINT = import.meta.resolve('#lib/index.js');
const CSV = import.meta.resolve('#lib/connectors/csv/index.js');
const ROWS = 3000;

/**
 * Each hundredth row fails until there is a file `mended`; from row 2,500 on the task waits for a file `go`; where
 * there is a file `slow-end` the end of the run waits for a file `end`.
 */
const FLOW = `
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow, RecordTask } from '${ENTRY_POINT}';
import { csvSink, csvSource } from '${CSV}';
class Tell extends RecordTask {
  kind = 'report';
  async process(row) { return row; }
  async close() { while (existsSync('slow-end') && !existsSync('end')) await sleep(20); }
}
export const Kept = defineWorkflow({ name: 'Kept', window: 64, build: (flow) => flow
  .task('Read', csvSource({ path: 'in.csv', columns: ['id', 'n'] }))
  .task('Work', ['Read'], asyncTask(async (row) => {
    if (Number(row.n) > 2500) while (!existsSync('go')) await sleep(20);
    if (Number(row.n) % 100 === 0 && !existsSync('mended')) throw new Error('no answer for ' + row.id);
    return row;
  }))
  .task('Write', ['Work'], csvSink({ path: 'out.csv', columns: ['id', 'n'] }))
  .task('Tell', ['Work'], new Tell({ concurrency: 8 })) });
`;

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

let parent = '';
let folder = '';
const children = new Set<ChildProcess>();
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'millrace-faults-'));
  folder = join(parent, 'project');
  mkdirSync(folder);
  writeFileSync(file('flow.mjs'), FLOW);
  const rows = Array.from({ length: ROWS }, (_, i) => `m${i + 1},${i + 1}`);
  writeFileSync(file('in.csv'), ['id,n', ...rows, ''].join('\n'));
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(parent, { recursive: true, force: true });
});

const file = (name: string): string => join(folder, name);
const runFile = (name: string): string => join(file('.millrace/runs'), onlyRun(), name);
const onlyRun = (): string => readdirSync(file('.millrace/runs'))[0] ?? '';
const rowsIn = (name: string): number => readFileSync(file(name), 'utf8').split('\n').length - 2;

const start = (...args: string[]): Started => run(process.execPath, CLI, ...args);

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

function run(program: string, ...args: string[]): Started {
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  const reported = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (reported.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (reported.err += text));
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => {
      children.delete(child);
      resolve({ code, ...reported });
    });
  });
  return { child, ended };
}

const millrace = (...args: string[]): Promise<Ended> => start(...args).ended;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(20);
}

/** Resolves when the last checkpoint is as wanted. */
async function untilCheckpoint(isWanted: (text: string) => boolean): Promise<void> {
  await until(() => existsSync(file('.millrace/runs')) && onlyRun() !== '' && existsSync(runFile('checkpoint.json')));
  await until(() => isWanted(readFileSync(runFile('checkpoint.json'), 'utf8')));
}

const hasProgress = (text: string): boolean => Number(/"watermark":(\d+)/.exec(text)?.[1]) > 1000;

async function killedRun(): Promise<string> {
  const { child, ended } = start('run', '--workflow', './flow.mjs', '--quiet');
  await untilCheckpoint(hasProgress);
  child.kill('SIGKILL');
  await ended;
  return onlyRun();
}

describe('a run whose process is stopped', () => {
  it('is taken over after 30 seconds of silence, and the process writes nothing when it wakes up', async () => {
    const { child, ended } = start('run', '--workflow', './flow.mjs', '--quiet');
    await untilCheckpoint(hasProgress);
    child.kill('SIGSTOP');
    const stoppedAtMs = Date.now();
    // As old as if the process had been silent for 40 seconds.
    const at = new Date(Date.now() - 40_000);
    for (const path of [
      runFile('incarnation-1.json'),
      runFile('dead-letters.ndjson.owner'),
      file('out.csv.part.owner'),
    ])
      utimesSync(path, at, at);
    const successor = start('resume', onlyRun(), '--quiet');
    await until(() => existsSync(runFile('incarnation-2.json')));
    // A process looks at its lease before it writes if it has not renewed it for ten seconds.
    await sleep(Math.max(0, 11_000 - (Date.now() - stoppedAtMs)));
    child.kill('SIGCONT');
    expect(await ended).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^MILLRACE_LOCKED: Another process has (?:resumed|taken over) /) as unknown,
    });
    writeFileSync(file('go'), '');
    expect(await successor.ended).toMatchObject({ code: 3, err: '' });
    expect(rowsIn('out.csv')).toBe(ROWS - 30);
    expect((await millrace('dead-letters', onlyRun())).out).toMatch(/\n +30 +Work/);
    expect((await millrace('runs')).out).toMatch(/Kept +finished/);
    expect((await millrace('report', onlyRun())).code).toBe(0);
    expect(readdirSync(folder).filter((name) => name.startsWith('out'))).toEqual(['out.csv']);
  }, 60_000);
});

describe('a run with a damaged checkpoint', () => {
  it('resumes from the checkpoint before it, and names the damaged file', async () => {
    const id = await killedRun();
    const bytes = readFileSync(runFile('checkpoint.json'));
    const digit = bytes.indexOf('"watermark":') + 12;
    bytes[digit] = bytes[digit] === 0x39 ? 0x38 : 0x39;
    writeFileSync(runFile('checkpoint.json'), bytes);
    const incarnation = readFileSync(runFile('incarnation-1.json'), 'utf8');
    writeFileSync(runFile('incarnation-1.json'), incarnation.replace('"pid":', '"pid": '));
    const listed = await millrace('runs');
    expect(listed.err).toMatch(/checkpoint\.json is damaged/);
    expect(listed.err).toMatch(/incarnation-1\.json is damaged/);
    writeFileSync(runFile('incarnation-1.json'), incarnation);
    expect((await millrace('runs')).out).toMatch(/Kept +unfinished/);
    expect((await millrace('runs', 'show', id)).out).toMatch(
      /the one before the last, because .*checkpoint\.json is damaged/,
    );
    writeFileSync(file('go'), '');
    const { code, err } = await millrace('resume', id);
    expect([code, err]).toEqual([
      3,
      expect.stringMatching(/checkpoint\.json is damaged: .*resumes from the checkpoint before it/),
    ]);
    expect(rowsIn('out.csv')).toBe(ROWS - 30);
    expect(new Set(readFileSync(file('out.csv'), 'utf8').split('\n')).size).toBe(ROWS - 30 + 2);
  }, 60_000);
});

describe('a limit of the system that a run meets at its end', () => {
  /**
   * Until there is a file `room`, the process opens all files that it may open from one record on, and keeps them open.
   */
  const FILLING = `
import { existsSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow } from '${ENTRY_POINT}';
import { csvSink, csvSource } from '${CSV}';
const hoard = () => { try { for (;;) openSync('/dev/null', 'r'); } catch { /* No descriptor is left. */ } };
export const Filling = defineWorkflow({ name: 'Filling', build: (flow) => flow
  .task('Read', csvSource({ path: 'in.csv', columns: ['id', 'n'] }))
  .task('Work', ['Read'], asyncTask(async (row) => {
    if (existsSync('hoards') && !existsSync('room') && Number(row.n) === 2000) setInterval(hoard, 1).unref();
    await sleep(1);
    return { ...row, text: 'x'.repeat(100) };
  }))
  .task('Write', ['Work'], csvSink({ path: 'out.csv', columns: ['id', 'n', 'text'] })) });
`;
  const limited = (limit: string, ...args: string[]): Promise<Ended> =>
    run('/bin/sh', '-c', `ulimit ${limit}; exec "$0" "$@"`, process.execPath, CLI, ...args).ended;

  it.each([
    // dash and bash count files in other units; both end within the rows.
    ['the size of the result', '-f 256', /does not allow a file of this size|the disk is full/],
    ['the open files', '-n 200', /too many files are open|EMFILE/],
  ])(
    '%s fails it with its reason and how to resume, and the resumed run completes',
    async (what, limit, reason) => {
      writeFileSync(file('flow.mjs'), FILLING);
      if (what === 'the open files') writeFileSync(file('hoards'), '');
      const { code, err } = await limited(limit, 'run', './flow.mjs', '--quiet');
      expect(code).toBe(1);
      expect(err).toMatch(reason);
      expect(err).toContain(` resume ${onlyRun()}`);
      writeFileSync(file('room'), '');
      expect((await millrace('resume', onlyRun(), '--quiet')).code).toBe(0);
      expect(rowsIn('out.csv')).toBe(ROWS);
      expect(new Set(readFileSync(file('out.csv'), 'utf8').split('\n')).size).toBe(ROWS + 2);
    },
    60_000,
  );
});

describe('a replay of dead letters that is killed', () => {
  it.each([
    ['at its start', (text: string) => text.includes('"incarnation":2')],
    [
      'after its last checkpoint',
      (text: string) => text.includes('"incarnation":2') && text.includes('"isComplete":true'),
    ],
  ])(
    '%s is unfinished, and loses nothing when it is resumed',
    async (_, isThen) => {
      writeFileSync(file('go'), '');
      expect((await millrace('run', '--workflow', './flow.mjs', '--quiet')).code).toBe(3);
      for (const name of ['mended', 'slow-end']) writeFileSync(file(name), '');
      const { child, ended } = start('dead-letters', 'replay', onlyRun(), '--quiet');
      await untilCheckpoint(isThen);
      child.kill('SIGKILL');
      await ended;
      expect((await millrace('runs')).out).toMatch(/Kept +unfinished/);
      writeFileSync(file('end'), '');
      expect(await millrace('resume', onlyRun(), '--quiet')).toMatchObject({ code: 0 });
      expect(rowsIn('out.csv')).toBe(ROWS);
      expect(new Set(readFileSync(file('out.csv'), 'utf8').split('\n')).size).toBe(ROWS + 2);
      expect((await millrace('dead-letters', onlyRun())).err).toMatch(/has no dead letters/);
      expect((await millrace('runs')).out).toMatch(/Kept +finished/);
    },
    60_000,
  );
});

describe('a project that was moved', () => {
  it('resumes its runs and finds their dead letters, with inputs that were only touched', async () => {
    const id = await killedRun();
    const moved = join(parent, 'elsewhere');
    renameSync(folder, moved);
    folder = moved;
    const { mtimeMs } = statSync(file('in.csv'));
    utimesSync(file('in.csv'), mtimeMs / 1000, mtimeMs / 1000 + 60);
    writeFileSync(file('go'), '');
    expect(await millrace('resume', id, '--quiet')).toMatchObject({ code: 3, err: '' });
    expect(rowsIn('out.csv')).toBe(ROWS - 30);
    expect((await millrace('dead-letters', id)).out).toMatch(/\n +30 +Work/);
  }, 60_000);
});

describe('`resume` without an id', () => {
  it('passes over a run that can never resume, and says why', async () => {
    const older = await killedRun();
    writeFileSync(file('other.mjs'), FLOW.replaceAll("'Kept'", "'Other'").replaceAll('out.csv', 'other.csv'));
    const { child, ended } = start('run', '--workflow', './other.mjs', '--quiet');
    await until(() => existsSync(file('other.csv.part')) && statSync(file('other.csv.part')).size > 10_000);
    const newer = readdirSync(file('.millrace/runs')).find((id) => id !== older) ?? '';
    await until(() => existsSync(join(file('.millrace/runs'), newer, 'checkpoint.json')));
    child.kill('SIGKILL');
    await ended;
    writeFileSync(file('other.mjs'), FLOW.replaceAll("'Kept'", "'Other'").replaceAll("'Write'", "'Store'"));
    writeFileSync(file('go'), '');
    const { code, err } = await millrace('resume', '--quiet');
    expect(err.split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^Run ${newer} is passed over: Run ${newer} cannot be resumed: `)),
      `Resuming run ${older} of Kept`,
      '',
    ]);
    expect(code).toBe(3);
  }, 60_000);

  it('is a refusal in words where the folder of runs is a file', async () => {
    writeFileSync(file('runs'), '');
    for (const args of [['resume'], ['runs'], ['run', '--workflow', './flow.mjs', '--quiet']]) {
      const { code, err } = await millrace(...args, '--runs', 'runs');
      expect([code, err]).toEqual([
        2,
        expect.stringMatching(/^MILLRACE_FILE: (?:Expected runs to be|Cannot make) .*folder/),
      ]);
      expect(err).not.toContain('ENOTDIR: ');
    }
  });
});
