/** The commands that the documents print, typed as printed, one after the other, in a folder of a user's. */
import { exec } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const guides = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
const blocks = (await Promise.all(['README.md', 'CONTRIBUTING.md', ...guides].map(blocksOf))).flat();
const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts: object };

interface Block {
  readonly name: string;
  readonly commands: readonly string[];
}

async function blocksOf(path: string): Promise<readonly Block[]> {
  const text = await readFile(join(root, path), 'utf8');
  return [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map((match, index) => ({
    name: `${path}, block ${index + 1}`,
    commands: (match[1] as string)
      .split('\n')
      .flatMap((line) => line.replace(/\s+#.*$/, '').split(' && '))
      .filter((command) => command !== ''),
  }));
}

/** Fails as a whole while there is a file `broken`, and on one record until there is a file `mended`. */
const FLOW = `
import { existsSync } from 'node:fs';
import { asyncTask, defineWorkflow } from '${import.meta.resolve('#lib/index.js')}';
import { csvSink, csvSource } from '${import.meta.resolve('#lib/connectors/csv/index.js')}';
export const MyFlow = defineWorkflow({ name: 'MyFlow', build: (flow) => flow
  .task('Read', csvSource({ path: 'orders.csv', columns: ['id'] }))
  .task('Work', ['Read'], asyncTask(async (row) => {
    if (row.id === 'b' && !existsSync('mended')) throw new Error('not yet');
    return row;
  }))
  .task('Check', ['Work'], asyncTask(async (row) => {
    if (existsSync('broken')) throw new Error('broken');
    return row;
  }, { onFailure: 'fail' }))
  .task('Write', ['Check'], csvSink({ path: 'done.csv', columns: ['id'] })) });
`;
const MEMBERS = `memberId,lastTransactionUtcTs,lastTransactionType,lastTransactionPointsBought,lastTransactionRevenueUSD
A,2024-01-02 03:04:05,buy,100,2.5
B,2024-01-03 03:04:05,gift,200,5.0
`;
const CONFIG = { csv_path: 'members.csv', result_output_path: 'r.csv', performance_output_path: 'p.json' };

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-printed-'));
  await symlink(join(root, 'dist'), join(folder, 'dist'));
  // The command as `npm install` links it, for `npx millrace`.
  const bin = join(folder, 'node_modules', '.bin');
  await mkdir(bin, { recursive: true });
  const command = `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'dist', 'cli.js')}' "$@"\n`;
  await writeFile(join(bin, 'millrace'), command, { mode: 0o755 });
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(join(folder, 'my-flow.js'), FLOW);
  await writeFile(join(folder, 'orders.csv'), 'id\na\nb\nc\n');
  await writeFile(join(folder, 'members.csv'), MEMBERS);
  await writeFile(join(folder, 'my-config.json'), JSON.stringify(CONFIG));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What the shell makes of it. */
function type(command: string): Promise<{ code: number; err: string }> {
  return new Promise((resolve) => {
    exec(command, { cwd: folder, timeout: 60_000 }, (error, _, err) => {
      resolve({ code: error === null ? 0 : (error.code ?? -1), err });
    });
  });
}

/** The id of a run that failed in the middle and can be resumed. */
async function failedRun(command: string): Promise<string> {
  await writeFile(join(folder, 'broken'), '');
  const { code, err } = await type(command);
  expect([code, err]).toEqual([1, expect.any(String)]);
  await rm(join(folder, 'broken'));
  const [run] = await readdir(join(folder, '.millrace/runs'));
  return run as string;
}

describe('the commands of a document', () => {
  it.each(blocks)(
    'do what they say in $name',
    async ({ name, commands }) => {
      // Elsewhere the command is started as npx starts it, which saves a second per command.
      const isReadme = name.startsWith('README');
      let run = '';
      // The run that the document starts is the one that it resumes.
      const start = commands.find((command) => / (--workflow|run) \.\/my-flow\.js$/.test(command));
      const isAboutARun = commands.some((command) => command.includes('<run>'));
      if (isAboutARun) {
        run = await failedRun(start ?? 'node dist/cli.js --workflow ./my-flow.js');
        // Where the document does not go on with it, it is about a run that is over.
        if (!commands.some((command) => command.includes(' resume '))) await type(`node dist/cli.js resume ${run}`);
      }
      for (const command of commands) {
        if (isAboutARun && command === start) continue;
        const script = /^npm (?:run )?([\w-]+)/.exec(command)?.[1];
        if (script !== undefined) {
          expect([script, ['ci', 'install'].includes(script) || script in scripts]).toEqual([script, true]);
          continue;
        }
        if (command.includes('replay')) await writeFile(join(folder, 'mended'), '');
        const found = isReadme ? command : command.replace(/^npx millrace /, 'node_modules/.bin/millrace ');
        const { code, err } = await type(found.replace('<run>', run).replace('<key>', 'b'));
        // 3: with dead letters, which this flow has until it is mended.
        expect([command, [0, 3].includes(code) ? 'done' : `${code}: ${err}`]).toEqual([command, 'done']);
      }
    },
    120_000,
  );
});
