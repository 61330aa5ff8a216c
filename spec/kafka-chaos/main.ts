/**
 * `npm run kafka-chaos -- --minutes 10 [--seed 1] [--nodes 3] [--records 4000] [--work-ms 5] [--faults 'kill a worker']
 * [--pause-ms 1700]`: runs with random faults, at most the pause apart, until the time is over; prints the figures. A
 * difference ends it with an error that names the seed. One run of many records with `--faults 'kill a worker' --pause-ms 60000` is a soak.
 */
import { parseArgs } from 'node:util';
import { startCluster } from '../kafka/cluster.js';
import { SHORT_SESSIONS } from '../lanes/short-sessions.js';
import { chaos, WITH_ONE_BROKER, WITH_THREE_BROKERS } from './chaos.js';
import { TestCluster } from '../kafka/test-cluster.js';

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: { minutes: text, seed: text, nodes: text, records: text, 'work-ms': text, faults: text, 'pause-ms': text },
});
const nodes = Number(values.nodes ?? 3);
const possible = nodes > 1 ? WITH_THREE_BROKERS : WITH_ONE_BROKER;
const wanted = values.faults?.split(',');
const faults = possible.filter((fault) => wanted?.includes(fault) ?? true);
if (wanted !== undefined && faults.length !== wanted.length) {
  throw new Error(`Expected --faults to be some of ${possible.join(', ')}, got ${wanted.join(', ')}`);
}
const until = performance.now() + Number(values.minutes ?? 5) * 60_000;
let seed = Number(values.seed ?? Date.now() % 1_000_000);
const totals = new Map<string, number>();
const count = (name: string, by = 1): void => {
  totals.set(name, (totals.get(name) ?? 0) + by);
};
const cluster = await startCluster(nodes, SHORT_SESSIONS.properties);
const test = new TestCluster(cluster.brokers);
try {
  do {
    const [records, workMs] = [Number(values.records ?? 4000), Number(values['work-ms'] ?? 5)];
    const pauseMs = Number(values['pause-ms'] ?? 1700);
    const figures = await chaos({ cluster, test, seed, records, workMs, faults, pauseMs });
    count('runs');
    count('records', figures.records);
    count('restarts of workers', figures.restarts);
    for (const [fault, times] of Object.entries(figures.faults)) count(fault, times);
    console.log(
      `Seed ${seed++}: ${JSON.stringify(figures.faults)} in ${Math.round(figures.elapsedMs / 1000)} s, 0 lost, 0 doubled`,
    );
  } while (performance.now() < until);
  for (const [name, total] of totals) console.log(`${name}: ${total}`);
} finally {
  await test.close();
  await cluster.stop();
}
