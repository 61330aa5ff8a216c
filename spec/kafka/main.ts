/**
 * `npm run kafka -- fetch` fetches the jars of a Kafka broker; `npm run kafka -- up [--port 9092]` runs one for a
 * developer until Ctrl-C, and fetches them first if they are missing. Its data is removed at the end.
 */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { fetchJars, whyNoBroker } from './artifacts.js';
import { startBroker } from './broker.js';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { port: { type: 'string' } } });
const [command] = positionals;
if (command !== 'fetch' && command !== 'up') {
  console.error('Usage: npm run kafka -- fetch | up [--port 9092]');
  process.exit(2);
}
if (whyNoBroker() !== undefined) await fetchJars();
const reason = whyNoBroker();
if (reason !== undefined) throw new Error(`No broker can be started: ${reason}`);
if (command === 'up') {
  const broker = await startBroker({ port: Number(values.port ?? 9092) });
  console.log(`Kafka answers at ${broker.address}. Ctrl-C ends it and removes its data.`);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await broker.stop();
}
