/**
 * `npm run spark -- fetch` fetches Apache Spark; `npm run spark -- up [--port 15002] [--workers 2]` runs a Spark
 * Connect server for a developer until Ctrl-C, and fetches Spark first if it is missing. Its files are removed at the
 * end.
 */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { fetchSpark, whyNoSpark } from './artifacts.js';
import { SparkServer } from './server.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { port: { type: 'string' }, workers: { type: 'string' } },
});
const [command] = positionals;
if (command !== 'fetch' && command !== 'up') {
  console.error('Usage: npm run spark -- fetch | up [--port 15002] [--workers 2]');
  process.exit(2);
}
if (whyNoSpark() !== undefined) await fetchSpark();
const reason = whyNoSpark();
if (reason !== undefined) throw new Error(`Spark cannot be started: ${reason}`);
if (command === 'up') {
  const server = await SparkServer.start({ port: Number(values.port ?? 15_002), workers: Number(values.workers ?? 0) });
  console.log(`Spark Connect answers at ${server.remote}. Ctrl-C ends it and removes its files.`);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await server.stop();
}
