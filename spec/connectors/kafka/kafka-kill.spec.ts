/**
 * Kafka to Kafka and to a file, in a process that is killed again and again: each record is once in the topic, for a
 * reader of committed data, and once in the file; those that were given up are in the dead letters and nowhere else.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { seededRandom } from 'millrace';
import { describeWithBroker } from '../../kafka/with-broker.js';

const VICTIM = new URL('./pipe-victim.js', import.meta.url).pathname;
const RECORDS = 3000;
/** The long form: MILLRACE_KAFKA_KILLS=50. */
const KILLS = Number(process.env['MILLRACE_KAFKA_KILLS'] ?? 3);
const SEED = Number(process.env['MILLRACE_KAFKA_SEED'] ?? 1);

describeWithBroker('a process that copies a topic', (broker) => {
  it('loses no record and writes none twice, killed at any moment', async () => {
    const random = seededRandom(SEED);
    const [from, to] = [await broker().topic(3), await broker().topic(2)];
    const numbers = [...new Array(RECORDS).keys()];
    await broker().write(
      from,
      numbers.map((n) => ({ key: String(n), value: JSON.stringify({ n }), partition: n % 3 })),
    );
    const folder = await mkdtemp(join(tmpdir(), 'millrace-kafka-kill-'));
    try {
      for (let incarnation = 1; ; incarnation++) {
        const kill = incarnation > KILLS ? 0 : Math.ceil((random() * RECORDS) / 2);
        const args = [broker().address, from, to, folder, incarnation, kill].map(String);
        const child = spawn(process.execPath, [VICTIM, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
        let reported = '';
        child.stderr.setEncoding('utf8').on('data', (text: string) => (reported += text));
        const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
        if (code !== 0 && signal !== 'SIGKILL') throw new Error(`Incarnation ${incarnation} failed: ${reported}`);
        if (code === 0) break;
      }
      const isGood = (n: number): boolean => n % 97 !== 3;
      const seen = (await broker().read(to)).map(({ value }) => (JSON.parse(value as string) as { n: number }).n);
      expect(seen.sort((a, b) => a - b)).toEqual(numbers.filter(isGood));
      const rows = (await readFile(join(folder, 'out.csv'), 'utf8')).trim().split('\n').slice(1).map(Number);
      expect(rows.sort((a, b) => a - b)).toEqual(numbers.filter(isGood));
      const letters = (await readFile(join(folder, 'letters.ndjson'), 'utf8')).trim().split('\n');
      const given = letters.map((line) => (JSON.parse(line) as { record: { n: number } }).record.n);
      expect(given.sort((a, b) => a - b)).toEqual(numbers.filter((n) => !isGood(n)));
      // What a later run of the group continues from.
      const admin = await broker().asAdmin();
      const [offsets] = await admin.fetchOffsets({ groupId: `pipe-${from}`, topics: [from] });
      expect(offsets?.partitions.map(({ offset }) => Number(offset))).toEqual([1000, 1000, 1000]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 300_000);
});
