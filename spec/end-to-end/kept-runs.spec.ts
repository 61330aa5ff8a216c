/** Runs that are kept, as their users meet them: listed, resumed, refused, explained, mended and replayed. */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { seal, unseal } from '#lib/storage/sealed.js';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
const ENTRY_POINT = import.meta.resolve('#lib/index.js');
const CSV = import.meta.resolve('#lib/connectors/csv/index.js');

/** Reads numbers; every hundredth fails until there is a file `mended`, and from 2,500 on it waits for a file `go`. */
const FLOW = `
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow } from '${ENTRY_POINT}';
import { csvSink, csvSource } from '${CSV}';
export const Kept = defineWorkflow({ name: 'Kept', window: 64, build: (flow) => flow
  .task('Read', csvSource({ path: 'in.csv', columns: ['id', 'n'], missing: 'skip' }))
  .task('Work', ['Read'], asyncTask(async (row) => {
    if (Number(row.n) > 2500) while (!existsSync('go')) await sleep(20);
    if (Number(row.n) % 100 === 0 && !existsSync('mended')) throw new Error('no answer for ' + row.id);
    return row;
  }))
  .task('Write', ['Work'], csvSink({ path: 'out.csv', columns: ['id', 'n'] })) });
`;

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const root = mkdtempSync(join(tmpdir(), 'millrace-kept-'));
/** The same for every test, because a kept run holds its path. */
const folder = join(root, 'place');
beforeEach(() => {
  mkdirSync(folder);
  writeFileSync(join(folder, 'flow.mjs'), FLOW);
  const rows = Array.from({ length: 3000 }, (_, i) => (i === 41 ? `m${i + 1},` : `m${i + 1},${i + 1}`));
  writeFileSync(join(folder, 'in.csv'), ['id,n', ...rows, ''].join('\n'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Brings the folder into a state that several tests begin with. It is made by the first of them. */
async function beginWith(state: string, make: () => Promise<void>): Promise<void> {
  const copy = join(root, state);
  const options = { recursive: true, preserveTimestamps: true };
  if (existsSync(copy)) {
    rmSync(folder, { recursive: true });
    cpSync(copy, folder, options);
  } else {
    await make();
    cpSync(folder, copy, options);
  }
}

const file = (name: string): string => join(folder, name);

function start(...args: string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const reported = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (reported.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (reported.err += text));
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => {
      resolve({ code, ...reported });
    });
  });
  return { child, ended };
}

const millrace = (...args: string[]): Promise<Ended> => start(...args).ended;
const onlyRun = (): string => readdirSync(file('.millrace/runs'))[0] ?? '';

/** Resolves when a checkpoint says that records have settled. */
async function untilProgress(): Promise<void> {
  const hasProgress = (): boolean => {
    const path = existsSync(file('.millrace/runs')) ? join(file('.millrace/runs'), onlyRun(), 'checkpoint.json') : '';
    return existsSync(path) && Number(/"watermark":(\d+)/.exec(readFileSync(path, 'utf8'))?.[1]) > 1000;
  };
  await new Promise<void>((resolve) => {
    const look = setInterval(() => {
      if (!hasProgress()) return;
      clearInterval(look);
      resolve();
    }, 20);
  });
}

/** A run of the workflow that was killed when it had made progress. */
async function killedRun(): Promise<string> {
  await beginWith('killed', async () => {
    const { child, ended } = start('run', '--workflow', './flow.mjs', '--quiet');
    await untilProgress();
    child.kill('SIGKILL');
    await ended;
  });
  return onlyRun();
}

describe('a run that was killed', () => {
  it('is the one that resume goes on with where none is named, until there is none', async () => {
    const id = await killedRun();
    writeFileSync(file('go'), '');
    expect(await millrace('resume', '--quiet')).toEqual({ code: 3, out: '', err: `Resuming run ${id} of Kept\n` });
    expect(await millrace('resume')).toEqual({
      code: 2,
      out: '',
      err: 'MILLRACE_UNKNOWN_RUN: There is no run to resume in .millrace/runs: each has finished, is being worked on, or cannot be resumed. `runs` lists them\n',
    });
  });

  it('is listed as unfinished, goes on where it was, and is then over', async () => {
    const id = await killedRun();
    expect(existsSync(file('out.csv'))).toBe(false);
    expect((await millrace('runs')).out).toMatch(new RegExp(`${id} +Kept +unfinished`));
    writeFileSync(file('go'), '');
    const resumed = await millrace('run', '--workflow', './flow.mjs', '--resume');
    expect(resumed).toMatchObject({ code: 3 });
    expect(readFileSync(file('out.csv'), 'utf8').split('\n')).toHaveLength(1 + 2999 - 30 + 1);
    const { out } = await millrace('runs', 'show', id);
    expect(out).toMatch(/state +finished.*\n.*\nincarnations 2\n/);
    expect(out).toMatch(/\ndead letters .*dead-letters\.ndjson\n/);
    expect(await millrace('resume', id)).toMatchObject({
      code: 2,
      err: expect.stringContaining('has finished') as unknown,
    });
  });

  it.each([
    ['checkpoint.json', '{"format":1,"ru', /checkpoint\.json is not JSON \(.*\): remove it with 'runs clean \S+'/],
    ['manifest.json', '{', /manifest\.json is not JSON/],
    ['../../../in.csv', 'id,n\nm1,1\n', /cannot be resumed: the input of 'Read' has changed/],
  ])('is passed over by --resume where its %s is another, and that is reported', async (name, text, why) => {
    const id = await killedRun();
    rmSync(join(file('.millrace/runs'), id, 'checkpoint.json.previous'));
    writeFileSync(join(file('.millrace/runs'), id, name), text);
    writeFileSync(file('go'), '');
    const { err } = await millrace('run', '--workflow', './flow.mjs', '--resume', '--quiet');
    expect(err.split('\n')).toEqual([expect.stringMatching(new RegExp(`^Run ${id} is passed over: `)), '']);
    expect(err).toMatch(why);
    expect(readdirSync(file('.millrace/runs'))).toHaveLength(2);
  });

  it('is refused where its input has changed, and says what', async () => {
    const id = await killedRun();
    appendFileSync(file('in.csv'), 'm9999,1\n');
    const { code, err } = await millrace('resume', id, '--quiet');
    expect(code).toBe(2);
    expect(err).toMatch(
      /^MILLRACE_RESUME: Run .* cannot be resumed: the input of 'Read' has changed: it had [\d,]+ bytes, and has [\d,]+\. Undo/,
    );
    expect(err).not.toMatch(/\n +at /);
  });

  it('is refused where its workflow or configuration has changed, and says what', async () => {
    const id = await killedRun();
    writeFileSync(file('flow.mjs'), FLOW.replace("'Write', ['Work']", "'Store', ['Work']"));
    expect((await millrace('resume', id, '--quiet')).err).toMatch(/task 'Write' was removed; task 'Store' was added/);
  });

  it('ends with 3 for dead letters that an earlier incarnation left, and says so', async () => {
    const id = await killedRun();
    writeFileSync(file('go'), '');
    // Nothing fails any more.
    writeFileSync(file('mended'), '');
    const { code, err } = await millrace('resume', id);
    expect(code).toBe(3);
    const before = Number(/0 dead letters, and (\d+) from earlier incarnations of the run/.exec(err)?.[1]);
    expect(before).toBeGreaterThan(0);
    expect((await millrace('dead-letters', id)).out).toMatch(new RegExp(`^ *${before} +Work`, 'm'));
  });

  it('is refused where what it wrote is gone', async () => {
    const id = await killedRun();
    writeFileSync(file('out.csv.part'), 'id,n\n');
    writeFileSync(file('go'), '');
    const { code, err } = await millrace('resume', id, '--quiet');
    expect(code).toBe(2);
    expect(err).toMatch(
      /^MILLRACE_RESUME: Cannot go on with out\.csv\.part: it is 5 bytes long, and the checkpoint counts on/,
    );
  });

  it('cannot be taken over while it lives', async () => {
    const { child, ended } = start('run', '--workflow', './flow.mjs', '--quiet');
    while (
      !existsSync(file('.millrace/runs')) ||
      !existsSync(join(file('.millrace/runs'), onlyRun(), 'checkpoint.json'))
    ) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { code, err } = await millrace('resume', onlyRun(), '--quiet');
    child.kill('SIGKILL');
    await ended;
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/^MILLRACE_LOCKED: Run .* is being worked on by process \d+/),
    ]);
  });
});

describe('a file that somebody else made', () => {
  it('is refused for dead letters before anything runs, and is left as it was', async () => {
    writeFileSync(file('mydata.txt'), 'mine\n');
    for (const kept of [[], ['--ephemeral']]) {
      const refused = await millrace('--workflow', './flow.mjs', '--dead-letters', 'mydata.txt', ...kept);
      expect(refused).toEqual({
        code: 2,
        out: '',
        err: 'MILLRACE_FILE: Cannot write dead letters to mydata.txt: it holds something else, which they would replace. Move it away, or name another file\n',
      });
    }
    expect(await millrace('--workflow', './flow.mjs', '--dead-letters', '.')).toMatchObject({
      code: 2,
      err: 'MILLRACE_FILE: Cannot write dead letters to .: it is a folder; name a file that may be written in it\n',
    });
    expect(readFileSync(file('mydata.txt'), 'utf8')).toBe('mine\n');
    expect(existsSync(file('.millrace'))).toBe(false);
  });

  it('is not removed by a run that goes on without dead letters of its own', async () => {
    const earlier = '{"runId":"earlier","task":"T","lineage":{}}\n';
    writeFileSync(file('letters.ndjson'), earlier);
    writeFileSync(file('mended'), '');
    const { child, ended } = start('run', '--workflow', './flow.mjs', '--quiet', '--dead-letters', 'letters.ndjson');
    await untilProgress();
    child.kill('SIGKILL');
    await ended;
    writeFileSync(file('go'), '');
    expect(await millrace('resume', onlyRun(), '--quiet')).toMatchObject({ code: 0 });
    expect(readFileSync(file('letters.ndjson'), 'utf8')).toBe(earlier);
  });
});

describe('the story of a record', () => {
  const QUIRKS = `
import { defineWorkflow, skip, syncTask } from '${ENTRY_POINT}';
import { csvSink, csvSource } from '${CSV}';
const Row = { '~standard': { version: 1, vendor: 'spec', validate: (row) =>
  row.n === 'bad' ? { issues: [{ message: 'expected a number', path: ['n'] }] } : { value: row } } };
export const Quirks = defineWorkflow({ name: 'Quirks', build: (flow) => flow
  .task('Read', csvSource({ path: 'quirks.csv', columns: ['id', 'n'], schema: Row }))
  .task('Filter', ['Read'], syncTask((row) => (Number(row.n) > 1 ? skip('too large') : row)))
  .task('Write', ['Filter'], csvSink({ path: 'out.csv', columns: ['id', 'n'] })) });
`;
  it('reports a refused row once, and of a record that ends in the middle who skips such', async () => {
    writeFileSync(file('quirks.mjs'), QUIRKS);
    writeFileSync(file('quirks.csv'), 'id,n\nada,1\ngrace,2\nedsger,bad\n');
    expect(await millrace('--workflow', './quirks.mjs', '--quiet')).toMatchObject({ code: 3 });
    const id = onlyRun();
    const story = async (key: string): Promise<string[]> =>
      (await millrace('why', id, key)).out.trim().split('\n').slice(1);
    expect(await story('edsger')).toEqual([
      expect.stringMatching(/^Read +\d{4}-\S+ +Read#2 +quirks\.csv, line 4: given up: .*expected a number/),
    ]);
    expect(await story('grace')).toEqual([
      expect.stringMatching(/^Read +Read#1 +quirks\.csv, line 3: read/),
      expect.stringMatching(/^Filter +skipped 1 record, for: too large \(1\); it may be one of them/),
    ]);
    expect(await story('ada')).toEqual([
      expect.stringMatching(/^Read/),
      expect.stringMatching(/^Write +out\.csv, line 2/),
    ]);
  });
});

describe('a run that finished', () => {
  beforeEach(async () => {
    await beginWith('finished', async () => {
      writeFileSync(file('go'), '');
      expect(await millrace('--workflow', './flow.mjs', '--quiet')).toMatchObject({ code: 3 });
    });
  });

  it('reports its dead letters by reason, and the story of a record', async () => {
    const id = onlyRun();
    const { out } = await millrace('dead-letters', id);
    expect(out.split('\n')[1]).toMatch(/^ +30 +Work +MILLRACE_TASK +Read#99 +no answer for m100$/);
    expect((await millrace('why', id, 'm100')).out).toMatch(
      /Read.*line 101: read.*\nWork.*given up after 1 attempt: MILLRACE_TASK/,
    );
    expect((await millrace('why', id, 'm42')).out).toContain('skipped: missing n');
    expect((await millrace('why', id, 'm7')).out).toMatch(/Read.*\nWrite.*out\.csv, line 8/);
    expect(await millrace('why', id, 'nobody')).toMatchObject({ code: 1, out: '' });
  });

  it('does its dead letters again once the cause is mended, each once, under the same number', async () => {
    const id = onlyRun();
    const before = readFileSync(file('out.csv'), 'utf8');
    writeFileSync(file('mended'), '');
    expect(await millrace('dead-letters', 'replay', id, '--quiet')).toMatchObject({ code: 0 });
    const after = readFileSync(file('out.csv'), 'utf8');
    expect(after.startsWith(before)).toBe(true);
    const expected = Array.from({ length: 30 }, (_, i) => `m${(i + 1) * 100},${(i + 1) * 100}`);
    expect(after.slice(before.length).trimEnd().split('\n')).toEqual(expected);
    expect((await millrace('dead-letters', id)).err).toContain('has no dead letters');
    expect((await millrace('runs', 'show', id)).out).toMatch(/\ndead letters none\n/);
  });

  it('does those of a large file again, too, which is read from its beginning for them', async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => `m${i + 1},${i + 1}`);
    writeFileSync(file('in.csv'), ['id,n', ...rows, ''].join('\n'));
    const earlier = onlyRun();
    expect(await millrace('--workflow', './flow.mjs', '--quiet')).toMatchObject({ code: 3 });
    const id = readdirSync(file('.millrace/runs')).find((run) => run !== earlier) ?? '';
    writeFileSync(file('mended'), '');
    expect(await millrace('dead-letters', 'replay', id, '--quiet')).toMatchObject({ code: 0 });
    const written = readFileSync(file('out.csv'), 'utf8').trimEnd().split('\n').slice(1);
    const numberOf = (row: string): number => Number(row.split(',')[1]);
    expect(written.sort((a, b) => numberOf(a) - numberOf(b))).toEqual(rows);
    expect((await millrace('dead-letters', id)).err).toContain('has no dead letters');
  });

  it('keeps the dead letters that fail again', async () => {
    const id = onlyRun();
    expect(await millrace('dead-letters', 'replay', id, '--quiet')).toMatchObject({ code: 3 });
    expect((await millrace('dead-letters', id)).out).toMatch(/ 30 +Work/);
  });

  it('is removed by `runs clean`', async () => {
    const id = onlyRun();
    expect((await millrace('runs', 'clean')).out).toBe(`removed ${id}\n`);
    expect((await millrace('runs')).err).toContain('No runs are kept');
  });
});

describe('a run with a file that is torn', () => {
  const TORN = ['manifest.json', 'summary.json', 'checkpoint.json'];
  /** A finished run, and beside it a copy with a file that is cut off. */
  async function withBroken(name: string): Promise<{ whole: string; broken: string; path: string }> {
    const whole = onlyRun();
    const broken = '20200101T000000-0badf11e';
    const path = join('.millrace/runs', broken);
    rmSync(file(path), { recursive: true, force: true });
    cpSync(file(join('.millrace/runs', whole)), file(path), { recursive: true });
    const manifest = join(file(path), 'manifest.json');
    const { value } = unseal(readFileSync(manifest));
    writeFileSync(manifest, seal({ ...(value as object), runId: broken }, 2));
    writeFileSync(join(file(path), name), '{"runId": "x');
    rmSync(join(file(path), 'checkpoint.json.previous'));
    return { whole, broken, path: join(path, name) };
  }

  beforeEach(async () => {
    await beginWith('finished well', async () => {
      writeFileSync(file('go'), '');
      writeFileSync(file('mended'), '');
      expect(await millrace('--workflow', './flow.mjs', '--quiet')).toMatchObject({ code: 0 });
    });
  });

  it.each(TORN)(
    'is listed as broken, reported by the name of its %s, and removed by its id',
    async (name) => {
      const { whole, broken, path } = await withBroken(name);
      const listed = await millrace('runs');
      expect([listed.code, listed.out]).toEqual([0, expect.stringMatching(new RegExp(`${whole} +Kept +finished`))]);
      expect(listed.out).toMatch(new RegExp(`${broken}( +Kept)? +broken`));
      const reported = new RegExp(
        `^MILLRACE_FILE: ${path} is not JSON \\(.*\\): remove it with 'runs clean ${broken}'\n$`,
      );
      expect(listed.err).toMatch(reported);
      expect((await millrace('runs', 'show', whole)).code).toBe(0);
      for (const command of [['runs', 'show'], ['resume']]) {
        expect(await millrace(...command, broken)).toMatchObject({
          code: 2,
          out: '',
          err: expect.stringMatching(reported) as unknown,
        });
      }
      expect((await millrace('runs', 'clean', broken)).out).toBe(`removed ${broken}\n`);
      expect(existsSync(join(file('.millrace/runs'), broken))).toBe(false);
      expect((await millrace('runs', 'clean')).out).toBe(`removed ${whole}\n`);
    },
    120_000,
  );

  it('is kept by `runs clean` without its id, and where it holds what no run writes', async () => {
    const { whole, broken, path } = await withBroken('manifest.json');
    const cleaned = await millrace('runs', 'clean');
    expect([cleaned.out, cleaned.err]).toEqual([
      `removed ${whole}\n`,
      'kept 1 broken; runs clean <run> removes one, --all them all\n',
    ]);
    writeFileSync(join(file(path), '..', 'mine.txt'), '');
    const refused = await millrace('runs', 'clean', broken);
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('it holds mine.txt, which no run writes')]);
    expect(existsSync(file(path))).toBe(true);
  });

  it('is kept where it holds what no run writes, also if only its state is unreadable', async () => {
    const { broken, path } = await withBroken('checkpoint.json');
    writeFileSync(join(file(path), '..', 'mine.txt'), '');
    const refused = await millrace('runs', 'clean', broken);
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('it holds mine.txt, which no run writes')]);
    expect(existsSync(file(path))).toBe(true);
  });

  it('does not keep --resume from looking further, and is reported', async () => {
    await withBroken('checkpoint.json');
    expect(await millrace('--workflow', './flow.mjs', '--quiet', '--resume')).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^Run \S+ is passed over: \S+checkpoint\.json is not JSON .*\n$/) as unknown,
    });
  });
});

describe('a run that is not kept', () => {
  it('leaves no folder, and cannot be asked to resume', async () => {
    writeFileSync(file('go'), '');
    expect(await millrace('--workflow', './flow.mjs', '--ephemeral', '--quiet')).toMatchObject({ code: 3 });
    expect(existsSync(file('.millrace'))).toBe(false);
    expect(await millrace('--ephemeral', '--resume')).toMatchObject({ code: 2 });
  });
});
