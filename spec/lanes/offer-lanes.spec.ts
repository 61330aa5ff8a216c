/**
 * OfferWorkFlow in two worker processes that are killed at any moment: the rows are those of one process, each once,
 * and the topics hold each record once for an independent reader of committed data.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { seededRandom } from 'millrace';
import { createRun } from 'millrace/lanes';
import { startMockServer } from 'millrace/mock-server';
import { OfferWorkFlow } from '#workflows/index.js';
import { writeMemberFile } from '#workflows/offer/generate-members.js';
import { describeWithBroker } from '../kafka/with-broker.js';

const VICTIM = new URL('./worker-victim.js', import.meta.url).pathname;
const WORKFLOWS = new URL('../../../dist/workflows/index.js', import.meta.url).pathname;
const ROWS = 1500;
/** The long form: MILLRACE_KAFKA_KILLS=50. */
const KILLS = Number(process.env['MILLRACE_KAFKA_KILLS'] ?? 1);
const SEED = Number(process.env['MILLRACE_KAFKA_SEED'] ?? 1);
const RUN = 'offers';

/** A worker process, what it printed, and its end. */
interface Victim {
  readonly process: ChildProcess;
  readonly over: Promise<readonly [code: number | null, signal: string | null]>;
  readonly reported: { out: string; errors: string };
}

describeWithBroker('OfferWorkFlow in worker processes', (broker) => {
  it('writes the rows of one process, also when workers are killed', async () => {
    const random = seededRandom(SEED);
    const folder = await mkdtemp(join(tmpdir(), 'millrace-offer-lanes-'));
    const server = await startMockServer({ port: 0 });
    try {
      const members = join(folder, 'members.csv');
      await writeMemberFile(members, { rows: ROWS, seed: SEED });
      const configFor = (file: string): Parameters<typeof OfferWorkFlow.prepare>[0] & object => ({
        csv_path: members,
        ats_url: `${server.url}/ml/ats/predict`,
        resp_url: `${server.url}/ml/resp/predict`,
        offer_url: `${server.url}/offer/assign`,
        result_output_path: join(folder, file),
        performance_output_path: join(folder, 'summary.json'),
        as_of: '2025-03-14T21:25:33Z',
      });
      await OfferWorkFlow.run(configFor('one.csv')).finished;
      const config = configFor('many.csv');
      await createRun({ workflow: OfferWorkFlow.prepare(config), cluster: broker().cluster, runId: RUN });

      const start = (): Victim => {
        const args = [VICTIM, broker().address, RUN, WORKFLOWS, 'OfferWorkFlow', JSON.stringify(config)];
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        const reported = { out: '', errors: '' };
        child.stdout.setEncoding('utf8').on('data', (text: string) => (reported.out += text));
        child.stderr.setEncoding('utf8').on('data', (text: string) => (reported.errors += text));
        return { process: child, over: once(child, 'exit') as Promise<[number | null, string | null]>, reported };
      };
      const workers = [start(), start()];
      for (let kill = 0; kill < KILLS; kill++) {
        await sleep(500 + random() * 2000);
        const index = Math.floor(random() * workers.length);
        const victim = workers[index] as Victim;
        victim.process.kill('SIGKILL');
        await victim.over;
        workers[index] = start();
      }
      for (const { over, reported } of workers) {
        const [code] = await over;
        if (code !== 0 || !reported.out.includes('over')) throw new Error(`A worker failed: ${reported.errors}`);
      }

      const rowsOf = async (file: string): Promise<string[]> =>
        (await readFile(join(folder, file), 'utf8')).trim().split('\n').sort();
      expect(await rowsOf('many.csv')).toEqual(await rowsOf('one.csv'));
      // One record per row, and the end marker of each lane.
      const results = await broker().read(`millrace.OfferWorkFlow.${RUN}.Load`);
      const ends = results.filter(({ headers }) => 'millrace-end' in headers);
      expect(new Set(ends.map(({ headers }) => headers['millrace-end'])).size).toBe(12);
      expect(results.length - ends.length).toBe((await rowsOf('one.csv')).length - 1);
    } finally {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    }
  }, 300_000);
});
