/** The package as its users get it: packed, installed into empty projects, imported, type-checked and run. */
import { execFile } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isLong } from '../support/long.js';

const root = new URL('../../../', import.meta.url).pathname;
const LIMIT_MS = 120_000;
/** Bytes; about a tenth above what it is. More than that should be a decision. */
const MOST_PACKED = 2_100_000;
/**
 * Bytes with everything it depends on, of which versions and sizes are for others to decide: a quarter above what it
 * is.
 */
const MOST_INSTALLED = 40_000_000;

async function sh(cwd: string, command: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { cwd, timeout: LIMIT_MS, maxBuffer: 2 ** 24 });
  return stdout;
}

/** What a command says that fails. */
async function failureOf(cwd: string, command: string, ...args: string[]): Promise<{ code: number; stderr: string }> {
  const ended = await sh(cwd, command, ...args).catch((error: unknown) => error as { code: number; stderr: string });
  return typeof ended === 'string' ? { code: 0, stderr: '' } : { code: ended.code, stderr: ended.stderr };
}

/** The packages in a folder of modules, and their bytes. */
async function installedIn(modules: string): Promise<{ readonly packages: number; readonly bytes: number }> {
  const entries = await readdir(modules, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => (await lstat(join(parentPath, name))).size),
  );
  const isPackage = /(^|\/)node_modules\/(@[^/]+\/)?[^/@]+\/package\.json$/;
  const packages = files.filter(({ parentPath, name }) => isPackage.test(posix.join(parentPath, name)));
  return { packages: packages.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

const FLOW = `
import { defineWorkflow, sourceTask, syncTask } from 'millrace';
export const Flow = defineWorkflow({
  name: 'Flow',
  build: (flow) => flow.task('Numbers', sourceTask([1, 2, 3])).task('Next', ['Numbers'], syncTask((n) => n + 1)),
});
`;

const TYPED = `
import { defineWorkflow, sourceTask, syncTask } from 'millrace';
import { virtualClock } from 'millrace/testing';
import { threadFunction } from 'millrace/thread';
import { startMockServer } from 'millrace/mock-server';
import { startMockServerInThread } from 'millrace/mock-server/in-thread';
const Flow = defineWorkflow({
  name: 'Flow',
  build: (flow) => flow.task('Numbers', sourceTask([1, 2])).task('Next', ['Numbers'], syncTask((n: number) => n + 1)),
});
const run = Flow.run(undefined, { clock: virtualClock() });
run.output$('Next').subscribe((n: number) => n.toFixed());
// @ts-expect-error: were the types lost on the way, this would be any, and compile.
run.output$('Next').subscribe((text: string) => text.trim());
export const used = [threadFunction, startMockServer, startMockServerInThread];
`;

describe('the package', () => {
  let folder: string;
  let project: string;
  let packed: Packed;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-package-'));
    project = join(folder, 'project');
    await mkdir(project);
    const answer = await sh(root, 'npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', folder);
    packed = (Object.values(JSON.parse(answer) as Record<string, Packed>) as [Packed])[0];
    await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'project', private: true, type: 'module' }));
    // A package that needs a newer Node than this one would warn each user, and here it fails.
    const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--engine-strict'];
    await sh(project, 'npm', 'install', join(folder, packed.filename), ...quiet);
    await writeFile(join(project, 'flow.js'), FLOW);
    await writeFile(join(project, 'typed.ts'), TYPED);
  }, LIMIT_MS);
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('holds what runs, its types, the sample data and the docs, and is small', () => {
    process.stdout.write(`packed: ${packed.size} bytes, ${packed.files.length} files\n`);
    const meant =
      /^(dist\/.*\.(js|d\.ts)|dist\/command\/LICENSES\.txt|dist\/dashboard\/(index\.html|assets\/[\w-]+\.css)|docs\/[^/]*\.md|docs\/(charts|pictures)\/.*\.svg|docs\/screenshots\/.*\.png|workflows\/.*\/.*\.(json|csv)|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/;
    expect(packed.files.map(({ path }) => path).filter((path) => !meant.test(path))).toEqual([]);
    expect(packed.size).toBeLessThan(MOST_PACKED);
  });

  it('has a command that may be executed after each build', async () => {
    // npm sets the bit when it links the command, and not when it builds a linked folder again.
    const copy = join(folder, 'built');
    await mkdir(join(copy, 'dist'), { recursive: true });
    await writeFile(join(copy, 'dist', 'cli.js'), '', { mode: 0o644 });
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      scripts: { build: string };
    };
    const last = scripts.build.split(' && ').at(-1) as string;
    await sh(copy, '/bin/sh', '-c', last);
    expect((await lstat(join(copy, 'dist', 'cli.js'))).mode & 0o111).toBe(0o111);
  });

  it('brings along little more than it needs', async () => {
    const { packages, bytes } = await installedIn(join(project, 'node_modules'));
    process.stdout.write(`installed: ${packages} packages, ${(bytes / 1e6).toFixed(1)} MB\n`);
    expect(bytes).toBeLessThan(MOST_INSTALLED);
  });

  it('has no link that leads out of it', async () => {
    const has = new Set(packed.files.map(({ path }) => path));
    const pages = [...has].filter((path) => path.endsWith('.md'));
    const links = pages.map(async (page) => {
      const text = await readFile(join(project, 'node_modules', 'millrace', page), 'utf8');
      const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)].map(([, target]) => target as string);
      return targets.map((target) => posix.join(posix.dirname(page), target));
    });
    const all = (await Promise.all(links)).flat();
    expect(all).toContain('docs/concepts.md');
    expect(all.filter((target) => !has.has(target))).toEqual([]);
  });

  it('is imported by every entry point it has, and nothing else', async () => {
    // `npm install` has not brought the optional peers of the remaining ones.
    const entryPoints = Object.keys(
      (JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { exports: object }).exports,
    )
      .filter((entry) => !['./package.json', './opentelemetry', './postgres'].includes(entry))
      .map((entry) => entry.replace('.', 'millrace'));
    expect(entryPoints).toContain('millrace/mock-server/in-thread');
    const program = `for (const entry of ${JSON.stringify(entryPoints)}) {
      if (Object.keys(await import(entry)).length === 0) throw new Error(entry);
    }
    await import('millrace/dist/index.js').catch((error) => console.log(error.code));`;
    expect(await sh(project, process.execPath, '--input-type=module', '--eval', program)).toBe(
      'ERR_PACKAGE_PATH_NOT_EXPORTED\n',
    );
  });

  it('says what to install where the entry point to OpenTelemetry is opened without its peer, and works with it', async () => {
    const program = `import { openTelemetry } from 'millrace/opentelemetry'; console.log(typeof openTelemetry().begin);`;
    const open = ['--input-type=module', '--eval', program];
    const { code, stderr } = await failureOf(project, process.execPath, ...open);
    expect(code).toBe(1);
    expect(stderr).toContain(
      'MillraceError: millrace/opentelemetry needs @opentelemetry/api, which is not installed. Install it: npm install @opentelemetry/api',
    );
    const peer = join(project, 'node_modules', '@opentelemetry');
    await mkdir(peer);
    await symlink(join(root, 'node_modules', '@opentelemetry', 'api'), join(peer, 'api'));
    try {
      expect(await sh(project, process.execPath, ...open)).toBe('function\n');
      const required = `console.log(typeof require('millrace/opentelemetry').openTelemetry)`;
      const say = ['--no-warnings', '--experimental-require-module', '--input-type=commonjs', '--eval', required];
      expect(await sh(project, process.execPath, ...say)).toBe('function\n');
    } finally {
      await rm(peer, { recursive: true });
    }
  });

  it('says what to install where a run connects to Kafka without the peer of that entry point', async () => {
    const program = `import { defineWorkflow, sourceTask } from 'millrace'; import { kafka, kafkaSink } from 'millrace/kafka';
      const out = kafkaSink({ cluster: kafka({ brokers: ['127.0.0.1:1'] }), topic: 't' });
      const Flow = defineWorkflow({ name: 'F', build: (flow) => flow.task('In', sourceTask([1])).task('Out', ['In'], out) });
      await Flow.run().finished.catch(({ code, message }) => console.log(code, message));`;
    expect(await sh(project, process.execPath, '--input-type=module', '--eval', program)).toBe(
      'MILLRACE_MISSING_PACKAGE millrace/kafka needs @platformatic/kafka, which is not installed. Install it: npm install @platformatic/kafka\n',
    );
  });

  it('says what to install where a task is made that needs DuckDB', async () => {
    const program = `import { duckdbSource } from 'millrace/duckdb';
      try { duckdbSource({ sql: 'SELECT 1' }); } catch ({ code, message }) { console.log(code, message); }`;
    expect(await sh(project, process.execPath, '--input-type=module', '--eval', program)).toBe(
      'MILLRACE_MISSING_PACKAGE millrace/duckdb needs @duckdb/node-api, which is not installed. Install it: npm install @duckdb/node-api\n',
    );
  });

  it('says what to install where a run connects to Spark without the peers of that entry point', async () => {
    const program = `import { defineWorkflow, sinkTask } from 'millrace'; import { sparkSource } from 'millrace/spark';
      const rows = sparkSource({ remote: 'sc://127.0.0.1:1', sql: 'SELECT 1' });
      const Flow = defineWorkflow({ name: 'F', build: (flow) => flow.task('In', rows).task('Out', ['In'], sinkTask(() => {})) });
      await Flow.run().finished.catch(({ code, message }) => console.log(code, message));`;
    expect(await sh(project, process.execPath, '--input-type=module', '--eval', program)).toBe(
      'MILLRACE_MISSING_PACKAGE millrace/spark needs @grpc/grpc-js, which is not installed. Install what it needs: npm install @grpc/grpc-js @uwdata/flechette@2.3.0\n',
    );
  });

  it('says what to install where the entry point to a database is opened without its peer', async () => {
    const open = (entry: string) =>
      failureOf(project, process.execPath, '--input-type=module', '--eval', `await import('${entry}')`);
    expect((await open('millrace/postgres')).stderr).toContain(
      'MillraceError: millrace/postgres needs pg, which is not installed. Install it: npm install pg',
    );
  });

  it('opens nothing when its entry points are imported', async () => {
    const lookOn = (entry: string): Promise<string> =>
      sh(
        project,
        process.execPath,
        '--input-type=module',
        '--eval',
        // Some versions of Node count the streams of the process once they were looked at.
        `void [process.stdout, process.stderr];
        ${entry && `await import('${entry}');`}
        // What reading the modules themselves took is given back within a turn.
        await new Promise((done) => setImmediate(done));
        const open = process.getActiveResourcesInfo();
        console.log(open.join());`,
      );
    const nothing = await lookOn('');
    expect(await lookOn('millrace')).toBe(nothing);
    expect(await lookOn('millrace/testing')).toBe(nothing);
    expect(await lookOn('millrace/thread')).toBe(nothing);
    expect(await lookOn('millrace/mock-server')).toBe(nothing);
  });

  const resolutions = [
    ['bundler', ['--module', 'esnext', '--skipLibCheck', 'true']],
    // Checks our declarations too, which must not ask for types that a user does not have.
    ['nodenext', ['--module', 'nodenext', '--skipLibCheck', 'false']],
  ] as const;
  it.each(resolutions)(
    'has types for a strict project that resolves modules by %s',
    async (resolution, options) => {
      const tsc = join(root, 'node_modules', 'typescript-7', 'bin', 'tsc');
      const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')];
      const strict = ['--noEmit', '--strict', '--target', 'es2023', '--moduleResolution', resolution];
      const problems = sh(project, process.execPath, tsc, 'typed.ts', ...strict, ...options, ...types).catch(
        (error: unknown) => (error as { stdout: string }).stdout,
      );
      expect(await problems).toBe('');
    },
    LIMIT_MS,
  );

  it(
    'has a command that runs a workflow of the project',
    async () => {
      const run = ['--no-install', 'millrace', '--workflow', './flow.js', '--ephemeral', '--events', 'events.ndjson'];
      await sh(project, 'npx', ...run);
      const program = `import { readEvents } from 'millrace/storage';
      readEvents('events.ndjson').subscribe((event) => {
        if (event.type === 'run-ended') console.log(event.outcome, event.summary.tasks.Next.out);
      });`;
      expect(await sh(project, process.execPath, '--input-type=module', '--eval', program)).toBe('completed 3\n');
    },
    LIMIT_MS,
  );

  it(
    'runs its sample workflow from any folder, which gets the results and nothing else',
    async () => {
      const place = join(project, 'elsewhere');
      await mkdir(place);
      const quiet = await sh(
        place,
        'npx',
        '--no-install',
        'millrace',
        'run',
        'OfferWorkFlow',
        '--quiet',
        '--ephemeral',
      );
      expect(quiet).toBe('');
      expect((await readdir(place)).sort()).toEqual([
        'plusgrade_performance_summary.json',
        'plusgrade_workflow_result.csv',
      ]);
      const result = await readFile(join(place, 'plusgrade_workflow_result.csv'), 'utf8');
      expect(result.split('\n').length).toBeGreaterThan(500);
    },
    LIMIT_MS,
  );

  it.each(isLong ? ['js', 'ts'] : ['js'])(
    'makes a project (%s) that can be installed, whose tests pass, and whose workflow runs',
    async (template) => {
      const made = join(folder, `made-${template}`);
      const archive = join(folder, packed.filename);
      const init = ['--no-install', 'millrace', 'init', made, '--template', template, '--millrace', archive];
      await sh(project, 'npx', ...init);
      await sh(made, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts');
      expect(await sh(made, 'npm', 'test')).toMatch(/^\S+ pass 2$/m);
      expect(await sh(made, 'npx', '--no-install', 'millrace', 'run', 'Orders', '--quiet')).toBe('');
      expect((await readFile(join(made, 'totals.csv'), 'utf8')).split(/\r?\n/)).toEqual([
        'id,total',
        'a,119',
        'c,238',
        '',
      ]);
    },
    3 * LIMIT_MS,
  );

  it(
    'says in one sentence what a project of CommonJS, as `npm init -y` makes it, has to change for a flow',
    async () => {
      const common = join(project, 'common');
      await mkdir(common);
      const manifest = join(common, 'package.json');
      const run = ['--no-install', 'millrace', '--quiet', '--ephemeral', '--workflow'];
      await writeFile(manifest, JSON.stringify({ name: 'common', type: 'commonjs' }));
      await writeFile(join(common, 'flow.js'), FLOW);
      await writeFile(join(common, 'flow.mjs'), FLOW);
      const { code, stderr } = await failureOf(common, 'npx', ...run, './flow.js');
      expect(code).toBe(2);
      expect(stderr).toBe(
        `MILLRACE_UNKNOWN_WORKFLOW: Cannot load ./flow.js: it is an ES module (it has import or export), and ${manifest} has "type": "commonjs". Change it to "type": "module" there, or name the file flow.mjs\n`,
      );
      // Both ways out lead out.
      expect(await sh(common, 'npx', ...run, './flow.mjs')).toBe('');
      await writeFile(manifest, JSON.stringify({ name: 'common', type: 'module' }));
      expect(await sh(common, 'npx', ...run, './flow.js')).toBe('');
    },
    LIMIT_MS,
  );
});
