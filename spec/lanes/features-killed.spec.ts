/**
 * Choices, merges, optional partners, failed records, sub-workflows, iterations, pages, windows and memos over worker
 * processes that are killed: the rows are those of one process.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { createRun, stagesOf, type SpreadOptions } from 'millrace/lanes';
import { describeWithBroker } from '../kafka/with-broker.js';
import { FeatureFlow, FILES, RECORDS } from './feature-flow.js';

const VICTIM = new URL('./worker-victim.js', import.meta.url).pathname;
const MODULE = new URL('./feature-flow.js', import.meta.url).pathname;
/** The long form: MILLRACE_KAFKA_KILLS=50. */
const KILLS = Number(process.env['MILLRACE_KAFKA_KILLS'] ?? 1);
const PARTITIONS = 3;
const RUN = 'features';

interface Victim {
  readonly process: ChildProcess;
  readonly over: Promise<readonly [code: number | null, signal: string | null]>;
  readonly told: { out: string; errors: string };
}

describeWithBroker('a workflow with each kind of edge and rule in worker processes', (broker) => {
  it('writes the rows of one process, also when workers are killed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-features-'));
    const configFor = (name: string): { folder: string } => ({ folder: join(folder, name) });
    try {
      for (const name of ['one', 'many']) await mkdir(join(folder, name));
      expect((await FeatureFlow.run(configFor('one')).finished).outcome).toBe('completed');
      const options: SpreadOptions = {
        workflow: FeatureFlow.prepare(configFor('many')),
        cluster: broker().cluster,
        runId: RUN,
        partitions: PARTITIONS,
      };
      const spread = stagesOf(options).stages.find(({ name }) => name === 'Spread');
      expect(spread).toMatchObject({ lanes: PARTITIONS });
      expect(spread?.tasks).toEqual(expect.arrayContaining(['Route', 'Both', 'Enrich', 'Repair', 'Poll', 'Rate']));
      await createRun(options);
      const start = (): Victim => {
        const config = JSON.stringify(configFor('many'));
        const args = [VICTIM, broker().address, RUN, MODULE, 'FeatureFlow', config, String(PARTITIONS)];
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        const told = { out: '', errors: '' };
        child.stdout.setEncoding('utf8').on('data', (text: string) => (told.out += text));
        child.stderr.setEncoding('utf8').on('data', (text: string) => (told.errors += text));
        return { process: child, over: once(child, 'exit') as Promise<[number | null, string | null]>, told };
      };
      const hasLanes = async ({ told, process: child }: Victim, stage: string): Promise<void> => {
        while (!told.errors.includes(`started ${stage}`) && child.exitCode === null) await sleep(5);
      };
      const hold = join(folder, 'many', 'hold');
      await writeFile(hold, '');
      let worker = start();
      for (let kill = 0; kill < KILLS; kill++) {
        await hasLanes(worker, 'Spread');
        await sleep(150 + (kill % 5) * 100);
        worker.process.kill('SIGKILL');
        // It cannot have been done: one record is held.
        expect([await worker.over, kill]).toEqual([[null, 'SIGKILL'], kill]);
        worker = start();
      }
      await rm(hold);
      const [code] = await worker.over;
      if (code !== 0 || !worker.told.out.includes('over')) throw new Error(`A worker failed: ${worker.told.errors}`);

      const rowsOf = async (name: string): Promise<Record<string, string[]>> => {
        const rows: Record<string, string[]> = {};
        for (const file of FILES) {
          rows[file] = (await readFile(join(folder, name, `${file}.csv`), 'utf8')).trim().split('\n').sort();
        }
        return rows;
      };
      const [one, many] = [await rowsOf('one'), await rowsOf('many')];
      for (const file of FILES) expect(one[file]?.length).toBeGreaterThan(20);
      expect(many).toEqual(one);
      // All lanes and workers have one memory, without the records that failed.
      const entries = (await readdir(join(folder, 'many', 'memo'), { recursive: true })).filter((name) =>
        name.endsWith('.json'),
      );
      expect(entries).toHaveLength(RECORDS - RECORDS / 30);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 300_000);
});
