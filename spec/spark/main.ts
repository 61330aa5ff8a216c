/**
 * `npm run spark -- fetch` fetches Apache Spark; `npm run spark -- up [--port 15002] [--workers 2]` runs a Spark
 * Connect server for a developer until Ctrl-C, and fetches Spark first if it is missing. With `--offline`, a missing
 * Spark is reported with the exit code 3. The files of the server are removed at the end.
 */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { fetchSpark, whyNoSpark } from './artifacts.js';
import { SparkServer } from './server.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { port: { type: 'string' }, workers: { type: 'string' }, offline: { type: 'boolean', default: false } },
});
const [command] = positionals;
if (command !== 'fetch' && command !== 'up') {
  console.error('Usage: npm run spark -- fetch | up [--port 15002] [--workers 2] [--offline]');
  process.exit(2);
}
if (!values.offline && whyNoSpark() !== undefined) await fetchSpark();
const reason = whyNoSpark();
if (reason !== undefined && values.offline) {
  console.error(reason);
  process.exit(3);
}
if (reason !== undefined) throw new Error(`Spark cannot be started: ${reason}`);
if (command === 'up') {
  const server = await SparkServer.start({
    startsQuickly: false,
    port: Number(values.port ?? 15_002),
    workers: Number(values.workers ?? 0),
  });
  console.log(`Spark Connect answers at ${server.remote}. Ctrl-C ends it and removes its files.`);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await server.stop();
}
