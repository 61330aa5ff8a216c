/**
 * The workflow of a command line that names none: the only one of the project, and never one that the user did not
 * write.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
const ENTRY_POINT = import.meta.resolve('#lib/index.js');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-default-'));
  mkdirSync(join(folder, 'workflows'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function millrace(...args: string[]): Promise<{ code: unknown; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], { cwd: folder }, (error, out, err) => {
      resolve({ code: error === null ? 0 : error.code, out, err });
    });
  });
}

function write(name: string, ...workflows: readonly string[]): void {
  const exported = workflows.map(
    (workflow) => `export const ${workflow} = defineWorkflow({ name: '${workflow}', build: (flow) => flow
  .task('Numbers', sourceTask([1, 2]))
  .task('Print', ['Numbers'], syncTask((n) => { console.log('${workflow}', n); return n; })) });`,
  );
  const imports = `import { defineWorkflow, sourceTask, syncTask } from '${ENTRY_POINT}';`;
  writeFileSync(join(folder, 'workflows', name), [imports, ...exported].join('\n'));
}

const refusal = (there: string): unknown => ({
  code: 2,
  out: '',
  err: `MILLRACE_USAGE: Expected a workflow after the command, got none, and the folder workflows ${there} Write its name or its file there; \`list\` lists the names\n`,
});

describe('without the name of a workflow', () => {
  it('the only one in the folder is run, checked and shown', async () => {
    write('orders.mjs', 'Orders');
    expect(await millrace('--ephemeral', '--quiet')).toEqual({ code: 0, out: 'Orders 1\nOrders 2\n', err: '' });
    expect((await millrace('validate')).out).toContain('Orders is valid: 2 tasks');
    expect((await millrace('graph')).out).toContain('Numbers');
  });

  it('the only one in the folder is run also if it has the name of a registered one', async () => {
    write('mine.mjs', 'OfferWorkFlow');
    const ran = { code: 0, out: 'OfferWorkFlow 1\nOfferWorkFlow 2\n', err: '' };
    expect(await millrace('run', '--ephemeral', '--quiet')).toEqual(ran);
  });

  it('nothing is run where there is none, and nothing is written', async () => {
    expect(await millrace('run')).toEqual(refusal('has none.'));
    expect(await millrace()).toEqual(refusal('has none.'));
    expect(readdirSync(folder)).toEqual(['workflows']);
    expect(readdirSync(join(folder, 'workflows'))).toEqual([]);
  });

  it('nothing is run where there are several: their names are listed', async () => {
    write('both.mjs', 'One', 'Two');
    for (const command of ['run', 'validate', 'graph']) {
      expect(await millrace(command)).toEqual(refusal("has 'One', 'Two'."));
    }
  });

  it('nothing is run where a file does not load, which may export the meant one', async () => {
    write('one.mjs', 'One');
    writeFileSync(join(folder, 'workflows/two.workflow.mjs'), "throw new Error('not today');");
    const cannot = 'Cannot load workflows/two.workflow.mjs: not today (at workflows/two.workflow.mjs:1).';
    expect(await millrace('run')).toEqual(refusal(`has 'One'. ${cannot}`));
  });
});

it('a workflow in place of a command is answered with the command that runs it', async () => {
  write('orders.mjs', 'Orders');
  const { code, err } = await millrace('Orders');
  expect(code).toBe(2);
  expect(err).toMatch(
    /^MILLRACE_USAGE: There is no command 'Orders'\. .*For a workflow of this name write run Orders\n$/,
  );
});
