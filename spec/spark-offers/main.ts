/**
 * `npm run spark-offers -- [--rows 1000000]`: OfferWorkFlow over a generated member file, by the stream of one process
 * and by Spark on a standalone cluster of two workers: undisturbed, with an executor that is killed, and with a run
 * that is killed and resumed. Prints the time of each, and fails unless all of them make the same rows. Needs Spark:
 * `npm run spark -- fetch`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeMemberFile } from '#workflows/offer/generate-members.js';
import { SparkServer } from '../spark/server.js';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
const { values } = parseArgs({ options: { rows: { type: 'string', default: '1000000' } } });
const rows = Number(values.rows);
const folder = await mkdtemp(join(tmpdir(), 'millrace-offers-'));

/** What disturbs a run. `kill` kills its process. */
type Disturb = (kill: () => void, result: string) => Promise<void>;

/** Runs the workflow in a folder of its own, and resumes it if it was killed. Returns the rows that it has written. */
async function offers(
  name: string,
  settings: Readonly<Record<string, unknown>>,
  disturb?: Disturb,
): Promise<readonly string[]> {
  const cwd = join(folder, name.replaceAll(/\W/g, '-'));
  mkdirSync(cwd);
  const result = join(cwd, 'result.csv');
  const files = { csv_path: path, result_output_path: result, performance_output_path: join(cwd, 'performance.json') };
  const config = { ...files, as_of: '2025-03-14T21:25:33Z', transport: 'ws', ...settings };
  await writeFile(join(cwd, 'config.json'), JSON.stringify(config));
  const execute = async (args: readonly string[], isDisturbed: boolean): Promise<number | null> => {
    const child = spawn(process.execPath, [CLI, ...args], { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.on('data', (data: Buffer) => (log = (log + String(data)).slice(-4000)));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    if (isDisturbed) await disturb?.(() => child.kill('SIGKILL'), result);
    const code = await ended;
    if (code !== 0 && code !== null) throw new Error(`${name} ended with ${code}: ${log}`);
    return code;
  };
  const from = performance.now();
  const code = await execute(['run', '--workflow', 'OfferWorkFlow', '--config', 'config.json'], true);
  if (code === null) {
    const [id] = readdirSync(join(cwd, '.millrace', 'runs'));
    await execute(['resume', id as string], false);
  }
  const ms = performance.now() - from;
  const lines: string[] = [];
  for await (const line of createInterface({ input: createReadStream(result) })) lines.push(line);
  const how = code === null ? 'killed and resumed' : '';
  console.log(`${name.padEnd(36)} ${(ms / 1000).toFixed(1).padStart(7)} s  ${lines.length - 1} offers ${how}`);
  return lines.sort();
}

/** Kills an executor as soon as code of the workflow works beside it. */
async function killExecutor(server: SparkServer): Promise<void> {
  const works = (): boolean => /millrace-worker-.*mjs/.test(String(spawnSync('ps', ['-eo', 'args=']).stdout));
  while (!works()) await sleep(100);
  const [executor] = await server.executors();
  process.kill(executor as number, 'SIGKILL');
}

const path = join(folder, 'members.csv');
let server: SparkServer | undefined;
try {
  await writeMemberFile(path, { rows, seed: 7 });
  console.log(`Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? ''}`);
  console.log(`${rows} rows, ${(statSync(path).size / 1e6).toFixed(0)} MB, load ${loadavg()[0]?.toFixed(1) ?? ''}`);
  const local = await offers('stream', {});
  const cluster = await SparkServer.start({ workers: 2, startsQuickly: false });
  server = cluster;
  const onSpark = { engine: 'spark', spark_remote: cluster.remote };
  const all = {
    'Spark, two workers': await offers('Spark, two workers', onSpark),
    'Spark, an executor killed': await offers('Spark, an executor killed', onSpark, () => killExecutor(cluster)),
    'Spark, the run killed': await offers('Spark, the run killed', onSpark, async (kill, result) => {
      const part = `${result}.part`;
      const size = (await readFile(join(folder, 'stream', 'result.csv'))).length;
      while (!existsSync(part) || statSync(part).size < size / 3) await sleep(100);
      kill();
    }),
  };
  for (const [name, lines] of Object.entries(all)) {
    const differ = lines.length === local.length ? lines.filter((line, i) => line !== local[i]).length : -1;
    if (differ !== 0) throw new Error(`${name}: ${differ < 0 ? `${lines.length} rows` : `${differ} rows differ`}`);
  }
  console.log(`All of them made the same ${local.length - 1} offers`);
} finally {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
}
