/** The package as its users get it: packed, installed into empty projects, imported, type-checked and run. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const root = new URL('../../../', import.meta.url).pathname;
const LIMIT_MS = 120_000;
/** Bytes; about a tenth above what it is. More than that should be a decision. */
const MOST_PACKED = 520_000;

async function sh(cwd: string, command: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { cwd, timeout: LIMIT_MS, maxBuffer: 2 ** 24 });
  return stdout;
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
    const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
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
      /^(dist\/.*\.(js|d\.ts)|docs\/.*\.md|workflows\/.*\/.*\.(json|csv)|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/;
    expect(packed.files.map(({ path }) => path).filter((path) => !meant.test(path))).toEqual([]);
    expect(packed.size).toBeLessThan(MOST_PACKED);
  });

  it('is imported by every door it has, and nothing else', async () => {
    const doors = ['', '/testing', '/thread', '/mock-server', '/mock-server/in-thread'].map(
      (door) => `millrace${door}`,
    );
    const program = `for (const door of ${JSON.stringify(doors)}) {
      if (Object.keys(await import(door)).length === 0) throw new Error(door);
    }
    await import('millrace/dist/index.js').catch((error) => console.log(error.code));`;
    expect(await sh(project, process.execPath, '--input-type=module', '--eval', program)).toBe(
      'ERR_PACKAGE_PATH_NOT_EXPORTED\n',
    );
  });

  it('opens nothing when its front doors are imported', async () => {
    const lookOn = (door: string): Promise<string> =>
      sh(
        project,
        process.execPath,
        '--input-type=module',
        '--eval',
        // Some versions of Node count the streams of the process once they were looked at.
        `void [process.stdout, process.stderr];
        ${door && `await import('${door}');`}
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

  it.each([
    // Checks our declarations too, which must not ask for types that a user does not have.
    ['nodenext', ['--module', 'nodenext', '--skipLibCheck', 'false']],
    ['bundler', ['--module', 'esnext', '--skipLibCheck', 'true']],
  ])(
    'has types for a strict project that resolves modules by %s',
    async (resolution, options) => {
      const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
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
      const program = `import { readEvents } from 'millrace';
      readEvents('events.ndjson').subscribe((event) => {
        if (event.type === 'run-ended') console.log(event.outcome, event.summary.tasks.Next.out);
      });`;
      expect(await sh(project, process.execPath, '--input-type=module', '--eval', program)).toBe('completed 3\n');
    },
    LIMIT_MS,
  );
});
