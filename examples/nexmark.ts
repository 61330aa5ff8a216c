/**
 * The Nexmark queries over a drawn stream of events that come in disorder: selections, joins, averages and windows.
 *
 * `node build/examples/nexmark.js 20000` prints the number of results of each query over 20,000 events.
 */
import { nexmarkEvents } from './nexmark/events.js';
import { QUERIES } from './nexmark/queries.js';

const count = Number(process.argv[2] ?? 5000);
const disorderMs = 500;
const events = nexmarkEvents({ seed: 1, count, everyMs: 20, disorderMs });

for (const [name, query] of Object.entries(QUERIES)) {
  const run = query({ events: () => events, disorderMs }).run();
  const { tasks } = await run.finished;
  console.log(`${name}: ${tasks['Result']?.out} results`);
}
