/** The commands and programs of docs/kafka-lanes.md do what they say, on a real broker. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import ts from 'typescript';
import { describeWithBroker } from '../kafka/with-broker.js';

const root = new URL('../../../', import.meta.url).pathname;
const run = promisify(execFile);

describeWithBroker('the guide to several processes', (broker) => {
  it('does what it says', async () => {
    const guide = (await readFile(join(root, 'docs', 'kafka-lanes.md'), 'utf8')).replaceAll(
      'localhost:9092',
      broker().address,
    );
    await mkdir(join(root, 'build'), { recursive: true });
    // Inside of the package, so that `import 'millrace'` is the package itself.
    const folder = await mkdtemp(join(root, 'build', 'lanes-guide-'));
    try {
      const bin = join(folder, 'node_modules', '.bin');
      await mkdir(bin, { recursive: true });
      const command = `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'dist', 'cli.js')}' "$@"\n`;
      await writeFile(join(bin, 'millrace'), command, { mode: 0o755 });
      await writeFile(join(folder, 'package.json'), '{"type":"module"}');
      await symlink(root, join(folder, 'node_modules', 'millrace'));
      for (const [, language, code = ''] of guide.matchAll(/```(ts|bash)\n([\s\S]*?)```/g)) {
        if (language === 'bash') {
          for (const command of code.trim().split('\n'))
            await run('sh', ['-c', command], { cwd: folder, timeout: 60_000 });
          if (code.includes(' plan ')) {
            const rows = (await readFile(join(folder, 'totals.csv'), 'utf8')).trim().split('\n');
            expect(rows.slice(1).sort()[0]).toBe('shop-0,71071');
            expect(rows).toHaveLength(8);
          }
          continue;
        }
        const name = /^\/\/ ([a-z-]+)\.ts\n/.exec(code)?.[1] ?? 'block';
        const { outputText } = ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ES2023 } });
        await writeFile(join(folder, `${name}.js`), outputText);
        if (name !== 'block') continue;
        const { stdout } = await run(process.execPath, [join(folder, 'block.js')], { cwd: folder, timeout: 60_000 });
        const expected = [...code.matchAll(/^\/\/ prints: (.*)$/gm)].map((match) => match[1]);
        expect(stdout.trimEnd().split('\n')).toEqual(expected);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 300_000);
});
