import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Catalog } from '#lib/server/catalog.js';

let folder: string;
let script: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-catalog-'));
  mkdirSync(join(folder, 'workflows'));
  script = join(folder, 'script.mjs');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const described = (...names: readonly string[]): string =>
  `console.log(JSON.stringify({ workflows: ${JSON.stringify(names.map((name) => ({ name })))}, problems: [] }))`;

it('the workflows are described once until a file changes, by one process at a time', async () => {
  const catalog = new Catalog({ folder, script, environment: process.env });
  writeFileSync(script, described('B', 'A'));
  const first = catalog.refresh();
  expect([await catalog.refresh(), await first, catalog.isDescribed]).toEqual([false, true, true]);
  expect(catalog.workflows.map(({ name }) => name)).toEqual(['A', 'B']);
  expect(await catalog.refresh()).toBe(false);
  writeFileSync(join(folder, 'workflows', 'a.js'), '');
  writeFileSync(script, 'throw new Error("no")');
  expect(await catalog.refresh()).toBe(true);
  expect(catalog.workflows).toHaveLength(2);
  expect(catalog.problems.join()).toContain('The workflows cannot be described');
});

it('a description that never ends is ended with the server', async () => {
  const catalog = new Catalog({ folder, script, environment: process.env });
  writeFileSync(script, 'setInterval(() => {}, 1000)');
  const refreshed = catalog.refresh();
  catalog.close();
  expect([await refreshed, catalog.isDescribed]).toEqual([true, false]);
});
