/**
 * What a shell user expects of a command: completion, a project to start from, TypeScript files, and runs that follow
 * changes.
 */
import { execFile, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
const ENTRY_POINT = import.meta.resolve('#lib/index.js');
const CSV = import.meta.resolve('#lib/connectors/csv/index.js');
const THREAD = import.meta.resolve('#lib/thread.js');
const LIMIT_MS = 120_000;

interface Ended {
  readonly code: number | string | null;
  readonly out: string;
  readonly err: string;
}

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-habits-'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const file = (name: string): string => join(folder, name);

function call(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: folder, timeout: LIMIT_MS, env: { ...process.env, NODE_PATH: '', ...env } };
    execFile(program, args, options, (error, out, err) => {
      resolve({ code: error === null ? 0 : (error.code ?? null), out, err });
    });
  });
}

const millrace = (...args: string[]): Promise<Ended> => call(process.execPath, [CLI, ...args]);

const flow = (name: string): string => `
import { defineWorkflow, syncTask } from '${ENTRY_POINT}';
import { csvSource } from '${CSV}';
import { label } from './label.js';
export const ${name} = defineWorkflow({ name: '${name}', build: (flow) => flow
  .task('Read', csvSource({ path: 'in.csv', columns: ['id'] }))
  .task('Print', ['Read'], syncTask(({ id }) => { console.log(label, id); return id; })) });
`;

describe('millrace completion bash', () => {
  /** What bash offers for these words, of which the last is unfinished. */
  async function offered(...words: string[]): Promise<readonly string[]> {
    mkdirSync(file('bin'), { recursive: true });
    writeFileSync(file('bin/millrace'), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`, { mode: 0o755 });
    const quoted = ['millrace', ...words].map((word) => `'${word}'`).join(' ');
    const script = `source <(millrace completion bash)
      complete -p millrace > /dev/null || exit 9
      COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _millrace
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const path = `${file('bin')}:${process.env['PATH'] ?? ''}`;
    const { code, out, err } = await call('bash', ['-c', script], { PATH: path });
    expect([code, err]).toEqual([0, '']);
    return out.split('\n').filter((line) => line !== '');
  }

  it('completes commands and options', async () => {
    expect(await offered('v')).toEqual(['validate']);
    expect(await offered('run', '--log-')).toEqual(['--log-format', '--log-level']);
    expect(await offered('--workf')).toEqual(['--workflow']);
  });

  it('completes the values of options, also behind the sign of equality', async () => {
    expect(await offered('run', '--log-level', 'd')).toEqual(['debug']);
    expect(await offered('graph', '--format', '=', '')).toEqual(['text', 'mermaid']);
    expect(await offered('graph', '--format', '=')).toEqual(['text', 'mermaid']);
  });

  it('completes the names of workflows without loading them, and files', async () => {
    mkdirSync(file('workflows'));
    writeFileSync(file('workflows/mine.js'), `process.exit(7);${flow('Mine')}`);
    writeFileSync(file('Mine two.js'), '');
    expect(await offered('run', '--set', 'a=1', 'Mi')).toEqual(['Mine', 'Mine two.js']);
    expect(await offered('validate', '--workflow', 'Off')).toEqual(['OfferWorkFlow']);
  });

  it('completes the runs that are kept, the newest first', async () => {
    for (const run of ['20260101T000000-a', '20260102T000000-b']) mkdirSync(file(`kept/${run}`), { recursive: true });
    const ids = ['20260102T000000-b', '20260101T000000-a'];
    expect(await offered('resume', '--runs', 'kept', '')).toEqual(ids);
    expect(await offered('runs', 'show', '--runs', 'kept', '2')).toEqual(ids);
    expect(await offered('why', '')).toEqual([]);
  });

  it('has nothing to offer behind what can be anything', async () => {
    expect(await offered('run', '--seed', '')).toEqual([]);
    expect(await offered('run', 'Mine', '')).toEqual([]);
  });
});

describe('millrace completion', () => {
  it('prints the script of the shell that the environment names, or says what to write', async () => {
    const shell = (SHELL: string): Promise<Ended> => call(process.execPath, [CLI, 'completion'], { SHELL });
    expect((await shell('/usr/bin/fish')).out).toContain('complete --command millrace');
    expect((await shell('/bin/zsh')).out).toMatch(/^#compdef millrace\n/);
    expect(await shell('/bin/tcsh')).toEqual({
      code: 2,
      out: '',
      err: 'MILLRACE_USAGE: Expected bash, zsh, fish after completion, got nothing, and the variable SHELL names none of them. Write completion bash\n',
    });
  });
});

describe('millrace init', () => {
  it('refuses a folder that is not empty, and writes nothing', async () => {
    expect(await millrace('init')).toEqual({
      code: 2,
      out: '',
      err: 'MILLRACE_USAGE: Expected an empty folder, got . with package.json. Nothing was written; name a new folder: init my-project\n',
    });
    expect(readdirSync(folder)).toEqual(['package.json']);
    const { code, err } = await millrace('init', 'package.json');
    expect([code, err]).toEqual([
      2,
      'MILLRACE_FILE: Cannot write the project to package.json: it is a file. Name a folder that may be written\n',
    ]);
  });

  it('writes into a new folder, or one that only holds a Git repository, and says what comes next', async () => {
    mkdirSync(file('My Flows/.git'), { recursive: true });
    const { code, out, err } = await millrace('init', 'My Flows', '--template', 'js');
    expect(code).toBe(0);
    expect(err).toBe('Next: cd "My Flows" && npm install && npm test && npx millrace run Orders\n');
    for (const path of out.trimEnd().split('\n')) expect([path, existsSync(file(path))]).toEqual([path, true]);
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(JSON.parse(readFileSync(file('My Flows/package.json'), 'utf8'))).toMatchObject({
      name: 'my-flows',
      dependencies: { millrace: `^${version}` },
    });
  });

  it('depends on the same folder or archive as the project in which it is called', async () => {
    writeFileSync(file('package.json'), JSON.stringify({ dependencies: { millrace: 'file:../millrace.tgz' } }));
    expect((await millrace('init', 'made')).code).toBe(0);
    expect(JSON.parse(readFileSync(file('made/package.json'), 'utf8'))).toMatchObject({
      dependencies: { millrace: `file:${join(dirname(realpathSync(folder)), 'millrace.tgz')}` },
    });
  });

  it('says that what --millrace names is not there', async () => {
    expect(await millrace('init', 'new', '--millrace', './nowhere.tgz')).toMatchObject({
      code: 2,
      err: 'MILLRACE_USAGE: There is no folder or file ./nowhere.tgz. Check the path after --millrace\n',
    });
    expect(existsSync(file('new'))).toBe(false);
  });
});

describe('a workflow in TypeScript', () => {
  // An enum is no type: Node does not run it by itself.
  const WORK = `import { threadFunction } from '${THREAD}';
enum Power { Two = 2 }
export const square = threadFunction(import.meta.url, 'square', (n: number): number => n ** Power.Two);
`;
  const FLOW = `import { cpuTask, defineWorkflow, sourceTask, syncTask } from '${ENTRY_POINT}';
import { square } from './work.js';
export const Squares = defineWorkflow({ name: 'Squares', build: (flow) => flow
  .task('Numbers', sourceTask([1, 2, 3]))
  .task('Square', ['Numbers'], cpuTask(square))
  .task('Print', ['Square'], syncTask((n: number): number => { console.log(n); return n; })) });
`;
  const tsx = dirname(createRequire(import.meta.url).resolve('tsx/package.json'));

  beforeEach(() => {
    mkdirSync(file('workflows'));
    writeFileSync(file('workflows/work.ts'), WORK);
    writeFileSync(file('workflows/squares.ts'), FLOW);
    writeFileSync(file('workflows/squares.test.ts'), 'process.exit(7);\n');
  });

  it.each([
    ['in threads', '2'],
    ['inline', '0'],
  ])(
    'runs %s where tsx is installed beside it, by its file and by its name',
    async (_where, threads) => {
      mkdirSync(file('node_modules'));
      symlinkSync(tsx, file('node_modules/tsx'));
      for (const name of ['./workflows/squares.ts', 'Squares']) {
        const ended = await millrace('run', name, '--ephemeral', '--quiet', '--threads', threads);
        expect(ended).toEqual({ code: 0, out: '1\n4\n9\n', err: '' });
      }
    },
    LIMIT_MS,
  );

  it(
    'runs without tsx where Node runs it; elsewhere one sentence says what to install',
    async () => {
      const { features, versions } = process;
      writeFileSync(
        file('workflows/work.ts'),
        WORK.replace('enum Power { Two = 2 }', 'const Power = { Two: 2 } as const;'),
      );
      writeFileSync(file('workflows/squares.ts'), FLOW.replace('./work.js', './work.ts'));
      const ended = await millrace('run', './workflows/squares.ts', '--ephemeral', '--quiet');
      const [listed, byName] = [await millrace('list'), await millrace('run', 'Squares', '--ephemeral', '--quiet')];
      if (Reflect.get(features, 'typescript')) expect(ended).toEqual({ code: 0, out: '1\n4\n9\n', err: '' });
      else {
        expect(ended).toEqual({
          code: 2,
          out: '',
          err: `MILLRACE_UNKNOWN_WORKFLOW: ./workflows/squares.ts is TypeScript, which Node ${versions.node} does not run by itself. Install tsx (npm install --save-dev tsx), or use Node 22.18 or newer\n`,
        });
        for (const { err } of [listed, byName]) {
          expect(err).toContain('workflows/squares.ts is TypeScript, which Node');
          expect(err).toContain('Install tsx (npm install --save-dev tsx)');
        }
      }
    },
    LIMIT_MS,
  );
});

describe('millrace run --watch', () => {
  /** Starts, and hands over what stands on either stream up to and with a text. */
  function start(...args: string[]): { until(text: string): Promise<string>; end(): Promise<Ended> } {
    const child = spawn(process.execPath, [CLI, 'run', ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = { out: '', err: '' };
    let seen = 0;
    let look: () => void = () => undefined;
    let all = '';
    for (const [name, stream] of [
      ['out', child.stdout],
      ['err', child.stderr],
    ] as const) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        ended[name] += text;
        all += text;
        look();
      });
    }
    const closed = new Promise<Ended>((resolve) => {
      child.once('close', (code) => {
        resolve({ code, ...ended });
      });
    });
    return {
      until: (text) =>
        new Promise((resolve) => {
          look = () => {
            const at = all.indexOf(text, seen);
            if (at < 0) return;
            const from = seen;
            seen = at + text.length;
            look = () => undefined;
            resolve(all.slice(from, seen));
          };
          look();
        }),
      end: () => {
        child.kill('SIGINT');
        return closed;
      },
    };
  }

  beforeEach(() => {
    writeFileSync(file('flow.js'), flow('Watched'));
    writeFileSync(file('label.js'), "export const label = 'first';\n");
    writeFileSync(file('in.csv'), 'id\na\n');
  });

  it(
    'runs again when an import or the input changes, waits where a file does not load, and ends by a signal',
    async () => {
      const { until, end } = start('./flow.js', '--watch', '--ephemeral');
      expect(await until('Watching 3 files: a change runs the workflow again, Ctrl-C ends\n')).toContain('first a\n');

      writeFileSync(file('label.js'), "export const label = 'second';\n");
      // A busy machine may notice a file while it is written, and once more when it is complete.
      await until('Running again: label.js changed\n');
      await until('second a\n');
      await until('Watching 3 files');

      writeFileSync(file('in.csv'), 'id\nb\n');
      await until('Running again: in.csv changed\n');
      await until('second b\n');
      await until('Watching 3 files');

      writeFileSync(file('label.js'), 'export const label = ;\n');
      await until('Running again: label.js changed\n');
      await until("SyntaxError: Unexpected token ';'");
      await until('Watching 3 files');

      // A file that is not of the workflow is nothing to it.
      writeFileSync(file('other.js'), '');
      writeFileSync(file('flow.js'), flow('Watched').replace('label, id', "'third', id"));
      writeFileSync(file('label.js'), "export const label = '';\n");
      const rest = (await until('third b\n')) + (await until('Watching 3 files'));
      expect(rest).toContain('Running again: ');
      expect(rest).not.toContain('other.js');

      expect(await end()).toMatchObject({ code: 130 });
    },
    LIMIT_MS,
  );

  it(
    'cancels the run under way before it starts the next one',
    async () => {
      const waits =
        "asyncTask(async (row, { signal }) => { console.log('waits'); await setTimeout(60_000, 0, { signal }); })";
      writeFileSync(
        file('slow.js'),
        `import { setTimeout } from 'node:timers/promises';
        import { asyncTask, defineWorkflow } from '${ENTRY_POINT}';
        import { csvSource } from '${CSV}';
        export const Slow = defineWorkflow({ name: 'Slow', build: (flow) => flow
          .task('Read', csvSource({ path: 'in.csv', columns: ['id'] }))
          .task('Wait', ['Read'], ${waits}) });`,
      );
      const { until, end } = start('./slow.js', '--watch', '--ephemeral');
      await until('waits\n');
      writeFileSync(file('slow.js'), readFileSync(file('slow.js'), 'utf8').replace(waits, 'asyncTask(async () => 1)'));
      expect(await until('Running again: slow.js changed\n')).toContain('Slow: cancelled');
      await until('Slow: completed');
      await until('Watching 2 files');
      expect(await end()).toMatchObject({ code: 130 });
    },
    LIMIT_MS,
  );
});

describe('a result on standard output', () => {
  const results = (): string => `
import { asyncTask, defineWorkflow, sourceTask } from '${ENTRY_POINT}';
import { csvSink } from '${CSV}';
import { ndjsonSink } from '${CSV.replace('/csv/', '/ndjson/')}';
const to = (name, source, path, fails = false) => defineWorkflow({ name, build: (flow) => flow
  .task('In', sourceTask(source))
  .task('Work', ['In'], asyncTask(async (row) => { if (fails) throw new Error('no'); return row; }, { onFailure: 'fail' }))
  .task('Out', ['Work'], csvSink({ path, columns: ['id'] })) });
export const Many = to('Many', function* () { for (let id = 0; id < 1e6; id++) yield { id }; }, '/dev/stdout');
export const One = to('One', [{ id: 1 }], '/dev/stdout');
export const Fails = to('Fails', [{ id: 1 }], '/dev/stdout', true);
export const Nowhere = to('Nowhere', [{ id: 1 }], 'no/out.csv');
export const Silent = to('Silent', [{ id: 1 }], '/dev/null');
export const Lines = defineWorkflow({ name: 'Lines', build: (flow) => flow
  .task('In', sourceTask(() => { throw new Error('The input was read'); }))
  .task('Out', ['In'], ndjsonSink({ path: 'results.js/out.ndjson' })) });
`;
  const piped = (name: string, reader: string): Promise<Ended> => {
    writeFileSync(file('results.js'), results());
    const command = `'${process.execPath}' '${CLI}' --workflow ./results.js#${name}`;
    return call('sh', ['-c', `(${command}; echo "code $?" >&2) | ${reader}`]);
  };

  it('ends as the command does when its reader has gone', async () => {
    const { out, err } = await piped('Many', 'head -2');
    expect(out).toBe('id\n0\n');
    expect(err).toMatch(/^If this run dies it cannot be resumed: .*\ncode 130\n$/);
  });

  it('is named as it was given, and the run is not offered for resuming', async () => {
    const one = await piped('One', 'cat');
    expect(one.out).toBe('id\n1\n');
    expect(one.err).toContain('Wrote /dev/stdout\n');
    const { err } = await piped('Fails', 'cat');
    expect(err).toMatch(/\nIt cannot be resumed: 'Out' writes to \/dev\/stdout, .*\ncode 1\n$/);
    expect(err).not.toContain('To resume it');
  });

  it.each(['validate', 'run', 'run --ephemeral'])(
    'in a folder that does not exist is found before anything is run: %s',
    async (words) => {
      writeFileSync(file('results.js'), results());
      const { code, err } = await millrace(...words.split(' '), './results.js#Nowhere');
      expect(err).toBe("MILLRACE_FILE: Cannot write no/out.csv: the folder 'no' does not exist; create it first\n");
      expect(code).toBe(2);
      expect(existsSync(file('.millrace/runs'))).toBe(false);
    },
  );

  it('and dead letters below a file are refused before the input is read', async () => {
    writeFileSync(file('results.js'), results());
    const lines = await millrace('run', './results.js#Lines');
    expect(lines.err).toBe(
      "MILLRACE_FILE: Cannot write results.js/out.ndjson: 'results.js' is a file, not a folder; name a folder that exists\n",
    );
    const letters = await millrace('run', './results.js#Silent', '--dead-letters', 'results.js/letters.ndjson');
    expect(letters.err).toContain("results.js' is a file, not a folder; name a folder that exists\n");
    expect([lines.code, letters.code]).toEqual([2, 2]);
  });
});
