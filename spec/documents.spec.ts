/**
 * The README and the guides are code: every block compiles under the project's own strictness, runs, and prints what it
 * says.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const root = new URL('../../', import.meta.url).pathname;
// Inside of the package, so that `import 'millrace'` is the package itself.
const folder = join(root, 'build', 'documents');
const guides = (await readdir(join(root, 'docs')))
  .filter((name) => name.endsWith('.md'))
  .map((name) => join('docs', name));
const blocks = (await Promise.all(['README.md', ...guides].map(blocksOf))).flat();

interface Block {
  readonly name: string;
  readonly file: string;
  readonly code: string;
}

async function blocksOf(path: string): Promise<readonly Block[]> {
  const text = await readFile(join(root, path), 'utf8');
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match, index) => {
    const code = match[1] as string;
    const heading = /^#+ (.*)$/m.exec(text.slice(0, match.index).split('\n').reverse().join('\n'))?.[1] ?? '';
    // A block that says so is a file of its own, for another one to import.
    const file = /^\/\/ ([a-z-]+\.ts)\n/.exec(code)?.[1] ?? `block-${index + 1}.ts`;
    // One folder per document: docs/README.md is not README.md.
    const place = path.replace(/\.md$/, '').replaceAll('/', '-');
    return { name: `${path}, block ${index + 1} (${heading})`, file: join(folder, place, file), code };
  });
}

describe('the documents', () => {
  let scratch: string;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'millrace-documents-'));
    await rm(folder, { recursive: true, force: true });
    for (const { file, code } of blocks) {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, code);
    }
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
      const where = diagnostic.file?.fileName.split('/').slice(-2).join('/') ?? '';
      const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0;
      return `${where}:${line + 1} ${ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')}`;
    });
    expect(problems).toEqual([]);
  }, 60_000);

  // Those about Kafka, Spark, S3 and PostgreSQL need a server: see kafka-guide.spec.ts, spark.spec.ts, s3.spec.ts and
  // postgres.spec.ts in spec/connectors, and spec/lanes/lanes-guide.spec.ts.
  const needsServer = ({ file, code }: Block): boolean =>
    /docs-(?:kafka|spark|s3)/.test(file) || code.includes("'millrace/postgres'");
  it.each(blocks.filter((block) => block.file.includes('block-') && !needsServer(block)))(
    'prints what it says in $name',
    async ({ file, code }) => {
      const expected = [...code.matchAll(/^\/\/ prints: (.*)$/gm)].map((match) => match[1]);
      expect(expected).not.toEqual([]);
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [file.replace(/\.ts$/, '.js')], {
        cwd: scratch,
        timeout: 60_000,
      });
      expect(stderr).toBe('');
      expect(stdout.trimEnd().split('\n')).toEqual(expected);
    },
    60_000,
  );
});
