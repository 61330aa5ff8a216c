/** The short form of the world of windows; the long one is `npm run simulate -- --windows --seeds 100000`. */
import { describe, expect, it } from '@jest/globals';
import { isLong } from '../support/long.js';
import type { Simulated } from './simulate.js';
import { simulateWindows } from './windows.js';

const SEEDS = isLong ? 2000 : 60;

describe('a run with windows of time', () => {
  it(`has the windows of a batch, whatever ends its incarnations, for ${SEEDS} seeds`, async () => {
    const failures: Simulated[] = [];
    let incarnations = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = await simulateWindows(seed);
      if (result.failure !== undefined) failures.push(result);
      incarnations += result.incarnations;
    }
    expect(failures).toEqual([]);
    expect(incarnations).toBeGreaterThan(SEEDS * 1.5);
  }, 600_000);

  it('happens again exactly, seed by seed', async () => {
    for (const seed of [5, 17, 42]) expect(await simulateWindows(seed)).toEqual(await simulateWindows(seed));
  });
});
