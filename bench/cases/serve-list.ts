/** Pages of runs of a server with 100,000 runs, over HTTP, against a server with one hundred. */
import type { BenchCase } from '../case.js';
import { assertBuilt } from '../command-line.js';
import { findingOf } from '../harness.js';
import { BenchServer } from '../served.js';

const MOST_MS = 50;
const PATHS = ['/runs?limit=50', '/runs?limit=50&state=failed', '/runs?limit=50&workflow=Flow7', '/overview'];

export const serveList: BenchCase = {
  name: 'serve-list',
  description: 'milliseconds of the 95th percentile of pages of runs with 100,000 runs, against 100 runs',
  goal: { on: 'value', is: 'at most', than: MOST_MS, unit: 'ms' },
  isSlow: true,
  run: async ({ isQuick, progress }) => {
    assertBuilt();
    progress('fills the stores');
    const many = await BenchServer.start({ runs: isQuick ? 2000 : 100_000 });
    const few = await BenchServer.start({ runs: 100 });
    try {
      const [ours, theirs]: [number[], number[]] = [[], []];
      for (let round = 0; round < (isQuick ? 3 : 10); round++) {
        progress(`sample ${round + 1}`);
        ours.push(await p95Of(many));
        theirs.push(await p95Of(few));
      }
      return findingOf(ours, theirs, { unit: 'ms', against: '100 runs' });
    } finally {
      await many.stop();
      await few.stop();
    }
  },
};

/** The 95th percentile of requests, in milliseconds. */
async function p95Of(server: BenchServer): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < 60; n++) {
    const begin = performance.now();
    await server.get(PATHS[n % PATHS.length] as string);
    times.push(performance.now() - begin);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.95)] as number;
}
