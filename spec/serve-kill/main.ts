/** `npm run serve-kill-test -- --kills 1000 [--seed 1]`: kills the real server, and prints the figures. */
import { parseArgs } from 'node:util';
import { serveKillTest } from './serve-kill-test.js';

const { values } = parseArgs({ options: { kills: { type: 'string' }, seed: { type: 'string' } } });
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const { kills, killedRuns, ticks, runs, withoutRun } = await serveKillTest(Number(values.kills ?? 1000), seed);
console.log(
  `${kills} kills of the server and ${killedRuns} of runs (seed ${seed}): ${ticks} ticks = ${runs} runs + ${withoutRun} ticks with a reason; no run doubled or forgotten`,
);
