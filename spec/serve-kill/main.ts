/**
 * `npm run serve-kill-test -- --kills 1000 [--seed 1]`: kills the real server, and prints the figures. With
 * `--servers`, three servers on one PostgreSQL are killed and stopped: `--servers --events 100`.
 */
import { parseArgs } from 'node:util';
import { serveKillTest } from './serve-kill-test.js';
import { drawnEvents, severalServersTest } from './several-servers-test.js';

const { values } = parseArgs({
  options: {
    kills: { type: 'string' },
    seed: { type: 'string' },
    servers: { type: 'boolean' },
    events: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
if (values.servers === true) {
  const figures = await severalServersTest(drawnEvents(Number(values.events ?? 100), seed), seed);
  const { kills, pauses, longPauses, crashes, killedRuns, ticks, runs, withoutRun } = figures;
  console.log(
    `${kills} kills and ${pauses} pauses of three servers (${longPauses} longer than a lease), ${crashes} crashes of the database, ${killedRuns} kills of runs (seed ${seed}): ${ticks} ticks = ${runs} runs + ${withoutRun} ticks with a reason; no run doubled or forgotten`,
  );
} else {
  const { kills, killedRuns, ticks, runs, withoutRun } = await serveKillTest(Number(values.kills ?? 1000), seed);
  console.log(
    `${kills} kills of the server and ${killedRuns} of runs (seed ${seed}): ${ticks} ticks = ${runs} runs + ${withoutRun} ticks with a reason; no run doubled or forgotten`,
  );
}
