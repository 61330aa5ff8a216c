/**
 * `npm run scaling -- [--rows 1000000] [--engines threads,duckdb,spark,cluster] [--kill]`: the features of OfferWorkFlow over one generated file, computed by one
 * thread, by threads, by DuckDB, and by Spark on this machine (two cores, and a cluster of two workers). Prints the
 * time and the rate of each, and whether the features are those of one thread. `--kill` kills an executor while the
 * cluster works. Needs Spark: `npm run spark -- fetch`.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { defineWorkflow, sinkTask } from 'millrace';
import { sparkSource } from 'millrace/spark';
import { readArrow } from '#lib/connectors/spark/arrow-rows.js';
import { Execution } from '#lib/connectors/spark/execution.js';
import { sqlRelation } from '#lib/connectors/spark/literals.js';
import { arrowPackage } from '#lib/connectors/spark/spark-packages.js';
import { SparkSession } from '#lib/connectors/spark/spark-session.js';
import { contextOfTest } from '#lib/testing/connector-context.js';
import { OfferConfig } from '#workflows/offer/config.js';
import { featureTasks } from '#workflows/offer/engines.js';
import type { MemberFeatures } from '#workflows/offer/features.js';
import { writeMemberFile } from '#workflows/offer/generate-members.js';
import { SparkServer } from '../spark/server.js';

const AS_OF = '2025-03-14T21:25:33Z';
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    engines: { type: 'string', default: 'threads,duckdb,spark,cluster' },
    kill: { type: 'boolean', default: false },
  },
});
const engines = new Set(values.engines.split(','));
const rows = Number(values.rows);
/** The server that runs. */
const servers: SparkServer[] = [];

type Settings = Readonly<Record<string, unknown>>;

/** The features of each member, and the time until the last one. */
async function compute(
  path: string,
  settings: Settings,
): Promise<{ members: Map<string, MemberFeatures>; ms: number; cpuSeconds: number }> {
  const unused = { result_output_path: `${path}.out`, performance_output_path: `${path}.json` };
  const config = OfferConfig.parse({ csv_path: path, as_of: AS_OF, ...unused, ...settings });
  const { extract, transform } = featureTasks(config, Date.parse(AS_OF));
  const members = new Map<string, MemberFeatures>();
  const flow = defineWorkflow({
    name: 'Features',
    build: (build) =>
      build
        .task('Extract', extract)
        .task('Transform', ['Extract'], transform)
        .task(
          'Keep',
          ['Transform'],
          sinkTask((features: MemberFeatures) => void members.set(features.memberId, features)),
        ),
  });
  const from = performance.now();
  const before = await cpuSeconds();
  await flow.run(undefined, { window: 4096 }).finished;
  return { members, ms: performance.now() - from, cpuSeconds: (await cpuSeconds()) - before };
}

/** The time on a processor of this process and of Spark, which other programs on the machine change little. */
async function cpuSeconds(): Promise<number> {
  const { user, system } = process.cpuUsage();
  const [server] = servers;
  return (user + system) / 1e6 + ((await server?.cpuSeconds()) ?? 0);
}

/** How many members have other features, and the largest relative difference. */
function compare(one: ReadonlyMap<string, MemberFeatures>, other: ReadonlyMap<string, MemberFeatures>): string {
  if (one.size !== other.size) return `${other.size} members in place of ${one.size}`;
  let [count, most] = [0, 0];
  for (const [id, features] of one) {
    const theirs = other.get(id) as unknown as Record<string, unknown> | undefined;
    let isOther = theirs === undefined;
    for (const [name, value] of Object.entries(features)) {
      const their = theirs?.[name];
      if (Object.is(value, their)) continue;
      isOther = true;
      most = Math.max(most, Math.abs(Number(their) - Number(value)) / Math.abs(Number(value)));
    }
    if (isOther) count++;
  }
  return count === 0 ? 'all members equal' : `${count} members differ, by at most ${most.toExponential(1)}`;
}

function print(name: string, ms: number, of: number, what = ''): void {
  const rate = Math.round(of / (ms / 1000)).toLocaleString('en');
  console.log(`${name.padEnd(34)} ${(ms / 1000).toFixed(1).padStart(6)} s ${rate.padStart(10)} rows/s  ${what}`);
}

/** Reads rows of Spark as records, and decodes the same messages alone. */
async function readFromSpark(remote: string): Promise<void> {
  const sql = `SELECT id, id * 0.5D AS half, concat('name ', id) AS name, id % 7 AS day, id % 2 = 0 AS even FROM range(${rows})`;
  const session = new SparkSession({ remote });
  const limits = { retryForMs: undefined, noProgressMs: 600_000 };
  const execution = new Execution(session, { root: sqlRelation(sql) }, 'scaling', contextOfTest('scaling'), limits);
  const messages: Uint8Array[] = [];
  for (let answer = await execution.next(); answer !== null; answer = await execution.next()) {
    if (answer.arrow?.data !== undefined) messages.push(answer.arrow.data);
  }
  await execution.close();
  await session.end();
  session.disconnect();
  const decode = (idsOf: (message: Uint8Array) => Iterable<unknown>): number => {
    const from = performance.now();
    let sum = 0;
    for (const message of messages) for (const id of idsOf(message)) sum += Number(id);
    if (sum !== (rows * (rows - 1)) / 2) throw new Error(`The sum is ${sum}`);
    return performance.now() - from;
  };
  const byPackage = (message: Uint8Array): unknown[] =>
    arrowPackage()
      .tableFromIPC(new Uint8Array(message))
      .toArray()
      .map((row) => (row as { readonly id: unknown }).id);
  const byConnector = (message: Uint8Array): unknown[] => {
    const read = readArrow(arrowPackage(), message, 'scaling');
    return Array.from({ length: read.count }, (_, i) => read.row(i)['id']);
  };
  for (const [name, idsOf] of [
    ['by Flechette', byPackage],
    ['by the connector', byConnector],
  ] as const) {
    decode(idsOf);
    print(`decoding alone, ${name}`, decode(idsOf), rows);
  }
  let count = 0;
  let first = 0;
  const flow = defineWorkflow({
    name: 'Read',
    build: (build) =>
      build.task('Rows', sparkSource({ remote, sql })).task(
        'Count',
        ['Rows'],
        sinkTask(() => {
          if (count++ === 0) first = performance.now();
        }),
      ),
  });
  const from = performance.now();
  await flow.run(undefined, { window: 4096 }).finished;
  const to = performance.now();
  print('sparkSource to a sink', to - first, count, `after ${((first - from) / 1000).toFixed(1)} s to the first row`);
}

const folder = await mkdtemp(join(tmpdir(), 'millrace-scaling-'));
try {
  const path = join(folder, 'members.csv');
  await writeMemberFile(path, { rows, seed: 7 });
  const { size } = await stat(path);
  console.log(`Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? ''}`);
  console.log(`${rows} rows, ${(size / 1e6).toFixed(0)} MB, load ${loadavg()[0]?.toFixed(1) ?? ''} at the start`);
  const one = await compute(path, { partitions: 1 });
  print('one thread', one.ms, rows, `${one.cpuSeconds.toFixed(1)} s of CPU, ${one.members.size} members`);
  const show = async (name: string, settings: Settings): Promise<void> => {
    const { members, ms, cpuSeconds } = await compute(path, settings);
    print(name, ms, rows, `${cpuSeconds.toFixed(1)} s of CPU, ${compare(one.members, members)}`);
  };
  if (engines.has('threads')) await show('threads', { partitions: 'auto' });
  if (engines.has('duckdb')) await show('DuckDB', { engine: 'duckdb' });
  for (const workers of [0, 2]) {
    if (!engines.has(workers === 0 ? 'spark' : 'cluster')) continue;
    const from = performance.now();
    const server = await SparkServer.start({
      workers,
      startsQuickly: false,
      settings: { 'spark.driver.maxResultSize': '2g' },
    });
    servers.push(server);
    const name = workers === 0 ? 'Spark, two cores' : 'Spark, two workers';
    console.log(`${name}: started in ${((performance.now() - from) / 1000).toFixed(1)} s`);
    const settings = { engine: 'spark', spark_remote: server.remote };
    await show(`${name}, first`, settings);
    await show(`${name}, warm`, settings);
    if (workers === 0) await readFromSpark(server.remote);
    else if (values.kill) {
      const computing = show(`${name}, one killed`, settings);
      await sleep(3000);
      const [executor] = await server.executors();
      process.kill(executor as number, 'SIGKILL');
      await computing;
    }
    await server.stop();
    servers.pop();
  }
} finally {
  for (const server of servers) await server.stop();
  await rm(folder, { recursive: true, force: true });
}
