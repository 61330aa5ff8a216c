/** The short form of the world of whole-task rules; the long one is `npm run simulate -- --phases --seeds 100000`. */
import { describe, expect, it } from '@jest/globals';
import { isLong } from '../support/long.js';
import type { Simulated } from './simulate.js';
import { simulatePhases } from './phases.js';

const SEEDS = isLong ? 2000 : 60;

describe('a run whose parts run after others', () => {
  it(`loses and doubles nothing, and tears down whatever ends it, for ${SEEDS} seeds`, async () => {
    const failures: Simulated[] = [];
    let incarnations = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = await simulatePhases(seed);
      if (result.failure !== undefined) failures.push(result);
      incarnations += result.incarnations;
    }
    expect(failures).toEqual([]);
    expect(incarnations).toBeGreaterThan(SEEDS * 1.5);
  }, 600_000);

  it('happens again exactly, seed by seed', async () => {
    for (const seed of [5, 17, 42]) expect(await simulatePhases(seed)).toEqual(await simulatePhases(seed));
  });
});
