/** The command line as its users run it: real processes, real files, exit codes and what stands on either stream. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EXIT_CODES } from '#lib/commands/exit-codes.js';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
const ENTRY_POINT = import.meta.resolve('#lib/index.js');

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
  for (const [name, content] of Object.entries(FILES)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), content.replaceAll("'millrace'", `'${ENTRY_POINT}'`));
  }
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function start(args: readonly string[], onText?: (text: string, child: ChildProcess) => void): Promise<Ended> {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = { out: '', err: '' };
  for (const [name, stream] of [
    ['out', child.stdout],
    ['err', child.stderr],
  ] as const) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      ended[name] += text;
      onText?.(ended.out + ended.err, child);
    });
  }
  return new Promise((resolve) => {
    child.once('close', (code) => {
      resolve({ code, ...ended });
    });
  });
}

const run = (...args: string[]): Promise<Ended> => start(args);

const flow = (name: string, step: string, options = '{}', source = '[1, 2, 3]'): string => `
import { defineWorkflow, sourceTask, asyncTask } from 'millrace';
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
export const ${name} = defineWorkflow({ name: '${name}', description: 'What ${name} does', build: (flow) => flow
  .task('Numbers', sourceTask(${source}))
  .task('Step', ['Numbers'], asyncTask(${step}, ${options})) });
`;

const FILES: Readonly<Record<string, string>> = {
  'good.js': flow('Good', 'async (n) => n'),
  'letters.js': flow('Letters', "async (n) => { if (n === 2) throw new Error('two'); return n; }"),
  'fails.js': flow('Fails', "async () => { throw new Error('boom'); }", "{ onFailure: 'fail' }"),
  'slow.js': flow('Slow', 'async (n) => { await sleep(400); return n; }', '{ concurrency: 4 }', 'Array(5000).fill(0)'),
  // Its records wait for a file.
  'held.js': `import { existsSync } from 'node:fs';${flow(
    'Held',
    "async (n, { signal }) => { while (!signal.aborted && !existsSync('go')) await sleep(20); return n; }",
    '{ concurrency: 4 }',
    'Array(5000).fill(0)',
  )}`,
  'prints.js': `console.log('loading');${flow('Prints', "async (n) => { console.log('task prints', n); return n; }")}`,
  'big.js': flow(
    'Big',
    'async () => 2n ** 70n',
    "{ output: { '~standard': { version: 1, vendor: 'x', validate: () => ({ issues: [{ message: 'no' }] }) } } }",
    '[1n]',
  ),
  'two.js': flow('One', 'async (n) => n') + flow('Two', 'async (n) => n').replace(/import.*|const sleep.*/g, ''),
  // Each record sets a timer, so the run has begun when the first one throws.
  'late.js': flow(
    'Late',
    "async (n) => { setTimeout(() => { throw new Error('from a timer'); }, 1); await sleep(5000); return n; }",
  ),
  'open.js': `setInterval(() => undefined, 1000);${flow('Open', 'async (n) => n')}`,
  'throws.js': 'const settings = undefined;\nexport const port = settings.port;\n',
  'option.js':
    "import { defineWorkflow } from 'millrace';\nexport const O = defineWorkflow({ name: 'O', defaultConfig: {} });\n",
  'syntax.js': 'export const a = 1;\nexport const b = ;\n',
  'nothing.js': 'export const a = 1;\n',
  'hangs.js': 'await new Promise(() => undefined);\n',
  'typed.ts': 'export const a: number = 1;\n',
  'cycle.js': `import { defineWorkflow, sourceTask, syncTask } from 'millrace';
    const step = () => syncTask((n) => n);
    export default defineWorkflow({ name: 'Cycle', build: (flow) => flow.task('A', ['B'], step()).task('B', ['A'], step()) });`,
  'workflows/local.js': flow('Local', 'async (n) => n'),
  'workflows/folder/index.js': flow('InFolder', 'async (n) => n'),
  'workflows/broken.js': "throw new Error('not today'); export const none = () => defineWorkflow({});\n",
  'package.json': '{"type": "module"}',
  'bad.json': '{\n  "a": 1\n  "b": 2\n}',
};

describe('the exit code', () => {
  it.each<[string, string, number]>([
    ['a run that completed', 'good.js', 0],
    ['a run that failed', 'fails.js', 1],
    ['a file that throws', 'throws.js', 2],
    ['a run that completed with dead letters', 'letters.js', 3],
  ])('of %s', async (_what, file, code) => {
    expect((await run('--workflow', `./${file}`)).code).toBe(code);
  });

  it('is the same with every option that only changes what is shown', async () => {
    expect(await run('--workflow', './good.js', '--no-color', '--debug', '--quiet')).toEqual({
      code: 0,
      out: '',
      err: '',
    });
  });

  it('stands in the help, each with its meaning', async () => {
    const { code, out, err } = await run('--help');
    expect([code, err]).toEqual([0, '']);
    for (const { code: number, meaning } of EXIT_CODES) {
      expect(out.replace(/\s+/g, ' ')).toContain(`${number} ${meaning}`);
    }
  });
});

describe('what is wrong', () => {
  it.each<[string[], string]>([
    [['./flow.js'], "MILLRACE_USAGE: Expected a command before a file, got './flow.js'. Write run ./flow.js"],
    [
      ['run', './good.js', '--workflow', './two.js'],
      "MILLRACE_USAGE: Expected one workflow, got './good.js' and --workflow './two.js'. Remove one of them",
    ],
    [
      ['--transport', 'ws'],
      'MILLRACE_USAGE: There is no option --transport here. For a setting of the workflow write --set transport=ws',
    ],
    [
      ['run', '--watch', '--resume'],
      'MILLRACE_USAGE: --resume cannot be combined with --watch, which starts each run from the beginning. Remove it',
    ],

    [
      ['lst'],
      "MILLRACE_USAGE: There is no command 'lst'. Did you mean 'list'? For a workflow of this name write run lst",
    ],
    [['--wndow', '3'], "MILLRACE_USAGE: There is no option --wndow here. Did you mean '--window'?"],
    [['--window', '-1'], "MILLRACE_USAGE: Expected --window to be a whole number of at least 1, got '-1'"],
    [['--window', '1.5'], "MILLRACE_USAGE: Expected --window to be a whole number of at least 1, got '1.5'"],
    [['--window'], 'MILLRACE_USAGE: Not enough arguments following: window. See --help'],
    [['--seed=x'], "MILLRACE_USAGE: Expected --seed to be a whole number of at least 0, got 'x'"],
    [['--config', 'a', '--config', 'b'], 'MILLRACE_USAGE: Expected --config once, got it 2 times. Remove all but one'],
    [['--quiet', '--json'], 'MILLRACE_USAGE: Expected --quiet or --json, got both. Remove one'],
    [
      ['--seed', '99999999999999999999'],
      "MILLRACE_USAGE: Expected --seed to be a whole number from 0 to 9007199254740991, got '99999999999999999999'",
    ],
    [
      ['run', './good.js', '--metrics-port', '99999'],
      "MILLRACE_USAGE: Expected --metrics-port to be a whole number from 0 to 65535, got '99999'",
    ],
    [['report'], 'MILLRACE_USAGE: Expected report <run>, got less: <run> is the id of the run. See --help'],
    [
      ['dead-letters', 'x', '--events', 'y'],
      'MILLRACE_USAGE: --events applies only to `dead-letters replay`. Remove it',
    ],
    [['dead-letters', 'x', 'y'], "MILLRACE_USAGE: Expected the id of one run, got 'x y'"],
    [['list', './good.js', 'more'], "MILLRACE_USAGE: Expected options after the command list, got 'more'. Remove it"],
    [
      ['graph', '--format', 'svg'],
      "MILLRACE_USAGE: Expected --format to be text or mermaid, got 'svg'. Known: 'text', 'mermaid'.",
    ],
    [
      ['--workflow', './goood.js'],
      'MILLRACE_UNKNOWN_WORKFLOW: There is no workflow file ./goood.js (looked in <folder>). Did you mean ./good.js?',
    ],
    [
      ['--workflow', './workflows/'],
      'MILLRACE_UNKNOWN_WORKFLOW: The workflow file ./workflows/ is a folder. Name a file in it',
    ],
    [
      ['--workflow', './typed.ts'],
      Reflect.get(process.features, 'typescript')
        ? 'MILLRACE_UNKNOWN_WORKFLOW: ./typed.ts exports no workflow. Export one: export const MyFlow = defineWorkflow({ … })'
        : `MILLRACE_UNKNOWN_WORKFLOW: ./typed.ts is TypeScript, which Node ${process.versions.node} does not run by itself. Install tsx (npm install --save-dev tsx), or use Node 22.18 or newer`,
    ],
    [
      ['--workflow', './bad.json'],
      'MILLRACE_UNKNOWN_WORKFLOW: ./bad.json is not a JavaScript or TypeScript module. Name a file that ends with .js, .mjs, .cjs or .ts',
    ],
    [
      ['--workflow', './nothing.js'],
      'MILLRACE_UNKNOWN_WORKFLOW: ./nothing.js exports no workflow. Export one: export const MyFlow = defineWorkflow({ … })',
    ],
    [
      ['--workflow', './two.js'],
      "MILLRACE_UNKNOWN_WORKFLOW: ./two.js exports 2 workflows: 'One', 'Two'. Name one, such as ./two.js#One",
    ],
    [
      ['--workflow', './two.js#Tow'],
      "MILLRACE_UNKNOWN_WORKFLOW: ./two.js exports no workflow 'Tow'. Did you mean 'Two'?",
    ],
    [
      ['--workflow', './throws.js'],
      "MILLRACE_UNKNOWN_WORKFLOW: Cannot load ./throws.js: TypeError: Cannot read properties of undefined (reading 'port') (at throws.js:2)",
    ],
    [
      ['--workflow', './option.js'],
      "MILLRACE_INVALID_OPTION: Cannot load ./option.js: Expected `defaultConfig` of workflow 'O' to be a path or a URL, got {} (object) (at option.js:2)",
    ],
    [
      ['--workflow', './syntax.js'],
      "MILLRACE_UNKNOWN_WORKFLOW: Cannot load ./syntax.js: SyntaxError: Unexpected token ';' (at syntax.js:2)",
    ],
    [
      ['validate', '--workflow', './cycle.js'],
      'MILLRACE_CYCLE: Tasks depend on each other in a circle: A → B → A. Remove one of these dependencies',
    ],
    [
      ['--workflow', './good.js', '--config', 'bad.json'],
      `MILLRACE_CONFIG: The config file bad.json is not JSON: line 3, column 3: expected ',' or '}', got '"'`,
    ],
  ])('%j is reported in one sentence, with exit code 2', async (args, message) => {
    const { code, out, err } = await run(...args);
    expect([code, out, err.replaceAll(folder, '<folder>')]).toEqual([2, '', `${message}\n`]);
  });

  it('in a name is answered with the nearest and all the others, also those of files that do not load', async () => {
    const { code, err } = await run('--workflow', 'Locall');
    expect(code).toBe(2);
    expect(err).toContain("There is no workflow 'Locall'. Did you mean 'Local'? Known: ");
    expect(err).toContain("'Local'");
    expect(err).toContain('Cannot load workflows/broken.js: not today');
  });

  it('is reported with a stack only where --debug asks for it', async () => {
    const [plain, debug] = await Promise.all([
      run('--workflow', './fails.js'),
      run('--workflow', './fails.js', '--debug'),
    ]);
    const message = /MILLRACE_TASK: Task 'Step' failed on record 0 of 'Numbers': boom\n/;
    expect([plain.code, debug.code]).toEqual([1, 1]);
    expect(plain.err).toMatch(message);
    expect(plain.err).not.toContain('    at ');
    expect(debug.err).toMatch(message);
    expect(debug.err).toContain('    at ');
  });

  it('and was caught by nobody is reported with its place and with the command that resumes', async () => {
    const { code, err } = await run('--workflow', './late.js', '--quiet');
    expect(code).toBe(1);
    expect(err).toMatch(
      /^MILLRACE_TASK: from a timer\nThis was thrown outside .*\n {4}at .*late\.js:\d+:\d+\)\nTo resume it: .*\n$/,
    );
  });

  it('with a file that never loads is said instead of ending as if all were well', async () => {
    const { code, err } = await run('--workflow', './hangs.js');
    expect([code, err]).toEqual([
      1,
      'MILLRACE_TASK: The process has nothing left to wait for, but the command is not over. Check the workflow for a promise that never settles\n',
    ]);
  });
});

describe('a workflow', () => {
  it.each([['./two.js#Two'], ['Local'], ['InFolder']])('is found as %s', async (name) => {
    expect(await run('run', '--workflow', name, '--quiet')).toEqual({ code: 0, out: '', err: '' });
  });

  it.each(['run', 'validate', 'graph', 'list'])('is also named as a word behind %s', async (command) => {
    const quiet = command === 'run' ? ['--quiet', '--ephemeral'] : [];
    const [word, option] = await Promise.all([
      run(command, './good.js', ...quiet),
      run(command, '--workflow', './good.js', ...quiet),
    ]);
    expect(word.code).toBe(0);
    expect(word).toEqual(option);
  });

  it('may be named by a word and by --workflow, where both agree', async () => {
    expect(await run('validate', './good.js', '--workflow', './good.js')).toMatchObject({ code: 0, err: '' });
  });

  it('is listed with the others; one that does not load is reported', async () => {
    const { code, out, err } = await run('list');
    expect(code).toBe(0);
    expect(out).toMatch(/^name +description +from\n/);
    expect(out).toMatch(/^Local +What Local does +workflows\/local\.js$/m);
    expect(out).toMatch(/^InFolder +What InFolder does +workflows\/folder\/index\.js$/m);
    expect(err).toBe(
      'MILLRACE_UNKNOWN_WORKFLOW: Cannot load workflows/broken.js: not today (at workflows/broken.js:1)\n',
    );
  });

  it('is validated and drawn without being run', async () => {
    const [valid, text, mermaid] = await Promise.all([
      run('validate', '--workflow', './letters.js'),
      run('graph', '--workflow', './letters.js'),
      run('graph', '--workflow', './letters.js', '--format', 'mermaid'),
    ]);
    expect(valid).toEqual({
      code: 0,
      err: '',
      out: 'Letters is valid: 2 tasks\n  Numbers: source\n  Step: async from Numbers\n',
    });
    expect(text.out).toContain('*  Numbers  source');
    expect(mermaid.out).toContain('flowchart LR\n  t0(["Numbers');
  });

  it('that leaves something open does not keep the process', async () => {
    const { code, err } = await run('--workflow', './open.js', '--quiet');
    expect(code).toBe(0);
    expect(err).toBe('The workflow left something open that keeps the process alive (Timeout). Ending anyway\n');
  });
});

describe('the output of a run', () => {
  it('without a terminal is plain lines and a table on standard error, and only what tasks print on standard output', async () => {
    const { out, err } = await run('--workflow', './prints.js');
    expect(out).toBe('loading\ntask prints 1\ntask prints 2\ntask prints 3\n');
    expect(err).toMatch(/^Step +async +3 +3 +0 +0/m);
    expect(err).toMatch(
      /^Prints: completed in \d+\.\d s, 0 skipped, 0 dead letters\nRun (\S+): see node .* runs show \1\n$/m,
    );
    expect(err).not.toContain('\u001b');
  });

  it('with --json is a line of JSON an event and the summary last, whatever tasks print and whatever records are', async () => {
    for (const [file, code] of [
      ['prints.js', 0],
      ['big.js', 3],
      ['fails.js', 1],
    ] as const) {
      const ended = await run('--workflow', `./${file}`, '--json');
      const lines = ended.out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { type: string; summary?: object });
      expect(ended.code).toBe(code);
      expect(lines[0]?.type).toBe('run-started');
      expect(lines.at(-2)?.type).toBe('run-ended');
      expect(lines.at(-1)).toMatchObject({ type: 'summary', summary: { tasks: { Step: { kind: 'async' } } } });
    }
  });

  it('with --json writes a record that JSON has no word for as a text', async () => {
    const { out } = await run('--workflow', './big.js', '--json');
    expect(out).toMatch(/"type":"dead-letter".*"record":"(1n|1180591620717411303424n)"/);
  });

  it('takes dead letters to the file that is named', async () => {
    const path = join(folder, 'letters.ndjson');
    await run('--workflow', './letters.js', '--dead-letters', path, '--window', '1', '--seed', '7', '--quiet');
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ task: 'Step', record: 2, message: 'two' });
  });

  it('ends quietly where nobody reads it any more', async () => {
    let closed = false;
    const { code, err } = await start(['--workflow', './slow.js', '--json'], (_text, child) => {
      if (!closed) child.stdout?.destroy();
      closed = true;
    });
    expect([code, err]).toEqual([130, '']);
  });
});

describe('a signal', () => {
  const summaryOf = (out: string): Record<string, unknown> =>
    (JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as { summary: Record<string, unknown> }).summary;

  it.each(['SIGINT', 'SIGTERM'] as const)('%s drains: sources stop, the records in flight settle', async (signal) => {
    let sent = false;
    const go = join(folder, 'go');
    const { code, out, err } = await start(['--workflow', './held.js', '--json', '--window', '8'], (text, child) => {
      if (!sent && text.includes('"task":"Step"')) sent = child.kill(signal);
      if (text.includes(': draining')) writeFileSync(go, '');
    });
    rmSync(go);
    expect(code).toBe(130);
    expect(err).toMatch(new RegExp(`^${signal}: draining for at most 8 s\\. .* again aborts\\n$`));
    const { outcome, tasks } = summaryOf(out) as {
      outcome: string;
      tasks: Record<string, { in: number; out: number }>;
    };
    expect(outcome).toBe('drained');
    // Four calls were in flight. The other records stay for the resumed run.
    expect([tasks['Step']?.out, tasks['Numbers']?.out]).toEqual([4, 8]);
    expect(tasks['Numbers']?.out).toBeLessThan(5000);
  });

  it('that comes again aborts', async () => {
    let presses = 0;
    const { code, out, err } = await start(['--workflow', './held.js', '--json'], (text, child) => {
      if (presses === 0 && text.includes('"task":"Step"')) presses = child.kill('SIGINT') ? 1 : 0;
      // Two at once are one key press that npm handed on; a person takes longer.
      if (presses === 1 && text.includes(': draining')) {
        presses = 2;
        setTimeout(() => child.kill('SIGINT'), 250);
      }
    });
    expect(code).toBe(130);
    expect(err).toMatch(/^SIGINT: draining.*\nSIGINT: aborting\. .*\n$/);
    expect(summaryOf(out)['outcome']).toBe('cancelled');
  });
});
