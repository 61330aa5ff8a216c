/**
 * `npm run simulate -- --seeds 100000 [--seed 1] [--outcomes | --extended | --phases | --windows]`: simulates so many
 * seeds from the first on, and prints the figures. With `--outcomes`, calls and generators end differently in each
 * incarnation. With `--extended`, their graphs also contain iterations, and sub-workflows that run once per record. With
 * `--phases`, parts of the graph run after others. With `--windows`, windows are closed, joined and continued.
 */
import { parseArgs } from 'node:util';
import { simulateExtended, simulateOutcomes } from './outcomes.js';
import { simulate } from './simulate.js';
import { simulatePhases } from './phases.js';
import { simulateWindows } from './windows.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    outcomes: { type: 'boolean' },
    extended: { type: 'boolean' },
    phases: { type: 'boolean' },
    windows: { type: 'boolean' },
  },
});
const WORLDS = {
  outcomes: simulateOutcomes,
  extended: simulateExtended,
  phases: simulatePhases,
  windows: simulateWindows,
};
const chosen = (Object.keys(WORLDS) as (keyof typeof WORLDS)[]).find((name) => values[name] === true);
const world = chosen === undefined ? '' : ` --${chosen}`;
const simulateSeed = chosen === undefined ? simulate : WORLDS[chosen];
const first = Number(values.seed ?? 1);
const seeds = Number(values.seeds ?? (values.seed === undefined ? 2000 : 1));
const faults = new Map<string, number>();
const failed: number[] = [];
let incarnations = 0;
let checkpoints = 0;
for (let seed = first; seed < first + seeds; seed++) {
  const result = await simulateSeed(seed);
  incarnations += result.incarnations;
  checkpoints += result.checkpoints;
  for (const [fault, count] of result.faults) faults.set(fault, (faults.get(fault) ?? 0) + count);
  if (result.failure === undefined) continue;
  failed.push(seed);
  console.log(`seed ${seed}: ${result.failure.slice(0, 1500)}`);
}
console.log(
  `${seeds} seeds from ${first} on, ${incarnations} incarnations, ${checkpoints} checkpoints, ${failed.length} failures`,
);
for (const [fault, count] of [...faults].sort()) console.log(`  ${fault}: ${count}`);
if (failed.length > 0) console.log(`Replay one: npm run simulate -- --seed ${failed[0] ?? ''}${world}`);
process.exitCode = failed.length > 0 ? 1 : 0;
