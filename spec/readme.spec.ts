/**
 * The README is code: every block of it compiles under the project's own strictness, runs, and prints what it says.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const root = new URL('../../', import.meta.url).pathname;
// Inside of the package, so that `import 'millrace'` is the package itself.
const folder = join(root, 'build', 'readme');
const readme = await readFile(join(root, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match, index) => ({
  name: `block ${index + 1} (${/^#+ (.*)$/m.exec(readme.slice(0, match.index).split('\n').reverse().join('\n'))?.[1] ?? ''})`,
  // A block that says so is a file of its own, for another one to import.
  file: join(folder, /^\/\/ ([a-z-]+\.ts)\n/.exec(match[1] as string)?.[1] ?? `block-${index + 1}.ts`),
  code: match[1] as string,
}));

describe('the README', () => {
  let scratch: string;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'millrace-readme-'));
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    for (const { file, code } of blocks) await writeFile(file, code);
  });
  afterAll(async () => {
    await rm(scratch, { recursive: true, force: true });
  });

  it('has blocks that compile', () => {
    const program = ts.createProgram(
      blocks.map(({ file }) => file),
      {
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.NodeNext,
        moduleResolution: ts.ModuleResolutionKind.NodeNext,
        strict: true,
        noUncheckedIndexedAccess: true,
        exactOptionalPropertyTypes: true,
        noImplicitOverride: true,
        skipLibCheck: true,
        types: ['node'],
        typeRoots: [join(root, 'node_modules', '@types')],
      },
    );
    const problems = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics].map((diagnostic) => {
      const where = diagnostic.file?.fileName.split('/').at(-1) ?? '';
      const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0;
      return `${where}:${line + 1} ${ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')}`;
    });
    expect(problems).toEqual([]);
  }, 60_000);

  it.each(blocks.filter(({ file }) => file.includes('block-')))(
    'prints what it says in $name',
    async ({ file, code }) => {
      const expected = [...code.matchAll(/^\/\/ prints: (.*)$/gm)].map((match) => match[1]);
      expect(expected).not.toEqual([]);
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [file.replace(/\.ts$/, '.js')], {
        cwd: scratch,
        timeout: 30_000,
      });
      expect(stderr).toBe('');
      expect(stdout.trimEnd().split('\n')).toEqual(expected);
    },
    30_000,
  );
});
