/** The hash of a module and of the files that it imports by relative paths. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { codeHash } from '#lib/memo/code-hash.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'code-'));
  await write('flow.js', "import { a } from './parts/a.mjs';\nimport fs from 'node:fs';\nawait import('./lazy.js');");
  await write('parts/a.mjs', "export { b } from '../b.js'; export const a = new URL('./c.js', import.meta.url);");
  await write('b.js', "import './flow.js'; export const b = 1;");
  await write('parts/c.js', '// a worker');
  await write('lazy.js', 'export {};');
  await write('other.js', 'export {};');
});
afterEach(() => rm(folder, { recursive: true }));

async function write(name: string, text: string, into = folder): Promise<void> {
  await mkdir(join(into, name, '..'), { recursive: true });
  await writeFile(join(into, name), text);
}
const hashOf = (name = 'flow.js'): ReturnType<typeof codeHash> => codeHash(pathToFileURL(join(folder, name)));

describe('the hash of code', () => {
  it.each(['flow.js', 'parts/a.mjs', 'b.js', 'parts/c.js', 'lazy.js'])('changes with %s', async (name) => {
    const before = await hashOf();
    expect(before.files).toBe(5);
    await write(
      name,
      `// changed\n${name === 'parts/c.js' ? '' : "import './flow.js'; import './parts/a.mjs'; import './lazy.js'"}`,
    );
    expect((await hashOf()).hash).not.toBe(before.hash);
  });

  it('does not change with a file that is not imported, nor with the place of the folder', async () => {
    const before = await hashOf();
    await write('other.js', '// changed');
    expect(await hashOf()).toEqual(before);
    const copy = await mkdtemp(join(tmpdir(), 'code-'));
    const { cp } = await import('node:fs/promises');
    await cp(folder, copy, { recursive: true });
    expect(await codeHash(pathToFileURL(join(copy, 'flow.js')).href)).toEqual(before);
    await rm(copy, { recursive: true });
  });

  it('follows imports of compiled names to their TypeScript sources', async () => {
    await write('typed.ts', "import { x } from './x.js'; import type { Y } from './y.mjs';");
    await write('x.ts', 'export const x: number = 1;');
    await write('y.mts', 'export type Y = 1;');
    const before = await hashOf('typed.ts');
    expect(before.files).toBe(3);
    await write('x.ts', 'export const x: number = 2;');
    expect((await hashOf('typed.ts')).hash).not.toBe(before.hash);
  });

  it('follows specifiers without an extension, to files and to folders', async () => {
    await write('plain.cjs', "require('./tools'); require('./shared/');");
    await write('tools.ts', 'module.exports = 1;');
    await write('shared/index.js', 'module.exports = 2;');
    const before = await hashOf('plain.cjs');
    expect(before.files).toBe(3);
    await write('shared/index.js', 'module.exports = 3;');
    expect((await hashOf('plain.cjs')).hash).not.toBe(before.hash);
  });

  it('passes over what looks like an import and can be no file', async () => {
    await write('other.js', "// import './50%.js' and import './a%2Fb.js'\nexport {};");
    expect(await hashOf('other.js')).toMatchObject({ files: 1 });
  });

  it('ignores the query of a module that was loaded again', async () => {
    const url = pathToFileURL(join(folder, 'flow.js'));
    expect(await codeHash(`${url.href}?changed=2`)).toEqual(await codeHash(url));
  });

  it('is refused for a module that is no file, or is missing', async () => {
    await expect(codeHash('data:text/javascript,1')).rejects.toMatchObject({ code: 'MILLRACE_INVALID_OPTION' });
    await expect(codeHash('./flow.js')).rejects.toThrow(/import\.meta\.url.*got "\.\/flow\.js"/);
    await expect(hashOf('missing.js')).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
  });
});
