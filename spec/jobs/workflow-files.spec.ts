/** Which files of the folder `workflows` are loaded: those that export a workflow, recognised by their text alone. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findWorkflows, loadWorkflow } from '#lib/jobs/workflows/load-workflow.js';
import { exportsWorkflow } from '#lib/jobs/workflows/workflow-files.js';
import { placeIn } from '../support/place-in.js';

const ENTRY_POINT = import.meta.resolve('#lib/index.js');
const flow = (name: string): string =>
  `import { defineWorkflow, sourceTask, syncTask } from '${ENTRY_POINT}';
export const ${name} = defineWorkflow({ name: '${name}', build: (f) => f.task('S', sourceTask([1])).task('K', ['S'], syncTask((x) => x)) });`;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-files-'));
  mkdirSync(join(folder, 'workflows'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const path = join(folder, 'workflows', name);
  writeFileSync(path, text);
  return path;
}

describe('a file of the folder workflows', () => {
  it.each([
    ["import { defineWorkflow } from 'millrace';\nexport const A = defineWorkflow({});", true],
    ["import { defineWorkflow as d } from 'millrace'; export default d({});", true],
    ["import { Workflow } from 'millrace';\nexport default new Workflow({});", true],
    ["const { defineWorkflow } = require('millrace');\nmodule.exports = { A: defineWorkflow({}) };", true],
    ['import*as m from"millrace";const a=m.defineWorkflow({});export{a as A};', true],
    ["const glob = 'src/**/*.ts'; // see docs\nexport const A = defineWorkflow({ name: `a/*` });", true],
    ["export { Inner } from './inner.mjs';", true],
    ["export * from './inner.mjs';", true],
    ["import { Inner } from './inner.mjs';\nexport { Inner };", true],
    ["import { Inner } from './inner.mjs';\nawait Inner.run().finished;", false],
    ["import { Inner } from './inner.mjs';\nexport const port = 1;\nawait Inner.run().finished;", false],
    ["import { defineWorkflow } from 'millrace';\nawait defineWorkflow({}).run().finished;", false],
    ["// export const A = defineWorkflow({})\nconsole.log('deployed');", false],
    ['/* defineWorkflow */ export const port = 1;', false],
    ["export const help = 'export const A = defineWorkflow({})';", false],
    ["console.log('deployed');", false],
    ['export const helper = (a) => a + 1;', false],
  ])('%j exports a workflow: %s', (text, expected) => {
    write('inner.mjs', flow('Inner'));
    expect(exportsWorkflow(write('file.mjs', text))).toBe(expected);
  });

  it('that is a script is never run, whether workflows are listed or one is asked for by its name', async () => {
    write('good.mjs', flow('Good'));
    for (const name of ['deploy.mjs', 'Other.mjs', 'server.js']) write(name, `globalThis.wasRun = '${name}';`);
    write('checked.test.mjs', `globalThis.wasRun = 'test';\n${flow('Checked')}`);
    const place = placeIn(folder);
    const { found, broken } = await findWorkflows(place);
    expect(found.map(({ workflow }) => workflow.name)).toContain('Good');
    expect(broken).toEqual([]);
    expect((await loadWorkflow('Good', place)).name).toBe('Good');
    await expect(loadWorkflow('Other', place)).rejects.toThrow("There is no workflow 'Other'");
    expect((globalThis as { wasRun?: string }).wasRun).toBeUndefined();
  });

  it('is loaded whatever it exports, if its name says that it is a workflow', async () => {
    write('inner.mjs', flow('Inner').replace('export ', '') + '\nexport const make = () => Inner;');
    write('made.workflow.mjs', "import { make } from './inner.mjs';\nexport const Made = make();");
    const { found } = await findWorkflows(placeIn(folder));
    expect(found.map(({ workflow }) => workflow.name)).toContain('Inner');
  });
});
