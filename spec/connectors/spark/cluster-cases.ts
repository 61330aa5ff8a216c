/**
 * Cases about the cluster itself: executors and runs that are killed, a bundle, and OfferWorkFlow. They are part of
 * `spark.spec.ts`, whose server they share.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask } from 'millrace';
import { onSpark } from 'millrace/spark';
import { writeMemberFile } from '#workflows/offer/generate-members.js';
import { OfferWorkFlow } from '#workflows/offer/offer-workflow.js';
import type { SparkServer } from '../../spark/server.js';
import { noted, shopTotals } from './modules/spark-work.js';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
const WORK = fileURLToPath(new URL('./modules/spark-work.js', import.meta.url));
const FLOW = fileURLToPath(new URL('./modules/fold-flow.js', import.meta.url));
/** It cannot run within jest. */
const ROLLDOWN = fileURLToPath(new URL('../../../../node_modules/rolldown/bin/cli.mjs', import.meta.url));
const LIMIT_MS = 180_000;

/** @param remote the address of the server, with its token. */
export function clusterCases(server: () => SparkServer, remote: () => string): void {
  const inFolder = async (work: (folder: string) => Promise<void>): Promise<void> => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-cluster-'));
    try {
      await work(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };

  it(
    'makes the same offers for all members as the stream',
    () =>
      inFolder(async (folder) => {
        const csv_path = join(folder, 'members.csv');
        await writeMemberFile(csv_path, { rows: 2000, seed: 11 });
        const offers = async (engine: 'stream' | 'spark'): Promise<readonly string[]> => {
          const result_output_path = join(folder, `${engine}.csv`);
          await OfferWorkFlow.run({
            csv_path,
            result_output_path,
            performance_output_path: join(folder, `${engine}.json`),
            as_of: '2025-03-14T21:25:33Z',
            engine,
            ...(engine === 'spark' ? { spark_remote: remote() } : {}),
          }).finished;
          return readFileSync(result_output_path, 'utf8').split(/\r?\n/).sort();
        };
        const local = await offers('stream');
        expect(local.length).toBeGreaterThan(380);
        expect(await offers('spark')).toEqual(local);
      }),
    LIMIT_MS,
  );

  it(
    'sends a bundle to the executors, and gives each result once though an executor is killed',
    () =>
      inFolder(async (folder) => {
        const bundle = join(folder, 'bundle.mjs');
        await promisify(execFile)(process.execPath, [ROLLDOWN, WORK, '--platform', 'node', '--file', bundle]);
        const file = join(folder, 'noted.log');
        const hold = join(folder, 'hold');
        writeFileSync(hold, '');
        const ROWS = 400;
        const records: number[] = [];
        const run = defineWorkflow({
          name: 'Killed executor',
          build: (flow) =>
            flow
              .task(
                'Rows',
                onSpark(noted({ file, delayMs: 10, hold }), {
                  remote: remote(),
                  node: process.execPath,
                  bundle,
                  sql: `SELECT id FROM range(0, ${ROWS}, 1, 2)`,
                  key: 'id',
                }),
              )
              .task(
                'Keep',
                ['Rows'],
                sinkTask(({ id }) => {
                  records.push(id);
                }),
              ),
        }).run();
        const calls = (): number => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').length : 0);
        // Both executors are held in their work.
        while (calls() < 60) await sleep(20);
        const [executor] = await server().executors();
        process.kill(executor as number, 'SIGKILL');
        rmSync(hold);
        await run.finished;
        expect(records.sort((a, b) => a - b)).toEqual(Array.from({ length: ROWS }, (_, id) => id));
        // Effects of the code itself are repeated.
        expect(calls()).toBeGreaterThan(ROWS);
      }),
    LIMIT_MS,
  );

  it(
    'completes the file of a run that is killed and resumed, with each result once',
    () =>
      inFolder(async (folder) => {
        const SHOPS = 600;
        const execute = (args: readonly string[], whenStarted?: (kill: () => void) => void): Promise<number | null> => {
          const child = spawn(process.execPath, [CLI, ...args, '--quiet'], { cwd: folder, stdio: 'ignore' });
          whenStarted?.(() => child.kill('SIGKILL'));
          return new Promise((resolve) => child.once('close', resolve));
        };
        const hold = join(folder, 'hold');
        writeFileSync(hold, '');
        const part = join(folder, 'totals.csv.part');
        const linesOf = (path: string): readonly string[] =>
          existsSync(path) ? readFileSync(path, 'utf8').trim().split(/\r?\n/) : [];
        const address = ['--set', `remote=${remote()}`];
        const settings = [...address, '--set', `shops=${SHOPS}`];
        const killed = await execute(['run', '--workflow', FLOW, ...settings], (kill) => {
          const timer = setInterval(() => {
            if (linesOf(part).length < SHOPS / 3) return;
            clearInterval(timer);
            kill();
          }, 20);
        });
        expect(killed).toBe(null);
        rmSync(hold);
        const [id] = readdirSync(join(folder, '.millrace/runs'));
        // The token in the address was not kept.
        expect(await execute(['resume', id as string, ...address])).toBe(0);
        const states = new Map<string, ReturnType<typeof shopTotals.init>>();
        for (let n = 0; n < 20_000; n++) {
          const shop = `shop ${n % SHOPS}`;
          states.set(shop, shopTotals.add(states.get(shop) ?? shopTotals.init(), { shop, amount: n + 0.5 }));
        }
        const expected = [...states].map(([shop, { count, sum }]) => `${shop},${count},${sum}`);
        const [, ...rows] = linesOf(join(folder, 'totals.csv'));
        expect(rows).toEqual(expected.sort());
      }),
    LIMIT_MS,
  );
}
