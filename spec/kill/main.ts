/**
 * `npm run kill-test -- --kills 1000 [--seed 1] [--only StateFlow]`: an equal share of the kills for each victim;
 * prints the figures.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { killTest } from './kill-test.js';
import { filesVictim, killFlowVictim, offerVictim, startMockServer, stateFlowVictim } from './victims.js';

const { values } = parseArgs({
  options: { kills: { type: 'string' }, seed: { type: 'string' }, only: { type: 'string' } },
});
const kills = Number(values.kills ?? 1000);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'millrace-victims-'));
const server = await startMockServer();
try {
  const victims = [
    offerVictim(folder, server.url, 3000),
    killFlowVictim(folder, 20_000),
    stateFlowVictim(folder, 4000),
    filesVictim(folder, 20_000),
  ];
  for (const victim of victims.filter(({ name }) => name.includes(values.only ?? ''))) {
    const figures = await killTest(victim, Math.ceil(kills / victims.length), seed);
    console.log(
      `${victim.name}: ${figures.kills} kills survived over ${figures.runs} runs, 0 differences (seed ${seed}, ${figures.missed} kills came too late)`,
    );
  }
} finally {
  server.stop();
  rmSync(folder, { recursive: true, force: true });
}
