/**
 * Kills the real server at random moments, under schedules with a tick each second, and processes of its runs too.
 *
 * `serveKillTest` throws where a law is broken.
 */
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from 'millrace';
import { end, serve, type Served } from '../server/support/served.js';
import { checkAtEnd, killARun, killFolder, type LawFigures } from './laws.js';

export interface ServeKillFigures extends LawFigures {
  readonly kills: number;
  readonly killedRuns: number;
}

/** @param longestMs the longest time that a server lives before it is killed. */
export async function serveKillTest(kills: number, seed: number, longestMs = 2000): Promise<ServeKillFigures> {
  const random = seededRandom(seed);
  const folder = killFolder();
  let killedRuns = 0;
  let served: Served | undefined;
  try {
    for (let kill = 0; kill < kills; kill++) {
      served = await serve(folder, '--max-runs', '3');
      await sleep(Math.floor(random() * longestMs));
      const isRunFirst = random() < 0.5;
      if (isRunFirst && random() < 0.5) killedRuns += killARun(folder, random);
      await end(served, 'SIGKILL');
      if (!isRunFirst && random() < 0.5) killedRuns += killARun(folder, random);
    }
    served = await serve(folder, '--max-runs', '3');
    return { kills, killedRuns, ...(await checkAtEnd(served)) };
  } finally {
    if (served !== undefined) await end(served);
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
