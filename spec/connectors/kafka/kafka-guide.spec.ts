/**
 * The examples of docs/kafka.md print what they say, on a real broker. That they compile is checked with the other
 * documents.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import ts from 'typescript';
import { registryStub } from '../../kafka/registry-stub.js';
import { describeWithBroker } from '../../kafka/with-broker.js';

const root = new URL('../../../../', import.meta.url).pathname;
// Inside of the package, so that `import 'millrace'` is the package itself.
const folder = join(root, 'build', 'kafka-guide');

describeWithBroker('the guide to Kafka', (broker) => {
  it('prints what it says', async () => {
    const guide = await readFile(join(root, 'docs', 'kafka.md'), 'utf8');
    const blocks = [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code as string);
    const admin = await broker().asAdmin();
    const topics = ['members', 'offers', 'members-avro'].map((topic) => ({ topic, numPartitions: 3 }));
    await admin.createTopics({ waitForLeaders: true, topics });
    await mkdir(folder, { recursive: true });
    const registry = await registryStub();
    for (const [i, block] of blocks.entries()) {
      const code = block
        .replaceAll('localhost:9092', broker().address)
        .replaceAll('http://localhost:8081', registry.url);
      const { outputText } = ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ES2023 } });
      const file = join(folder, `block-${i + 1}.js`);
      await writeFile(file, outputText);
      const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 60_000 });
      expect(stdout.trimEnd().split('\n')).toEqual(
        [...code.matchAll(/^\/\/ prints: (.*)$/gm)].map((match) => match[1]),
      );
    }
    await registry.close();
    expect(blocks).not.toEqual([]);
  }, 120_000);
});
