/** The short form of the world of other outcomes; the long one is `npm run simulate -- --outcomes --seeds 100000`. */
import { describe, expect, it } from '@jest/globals';
import { isLong } from '../support/long.js';
import { simulateExtended, simulateOutcomes } from './outcomes.js';
import type { Simulated } from './simulate.js';

const SEEDS = isLong ? 1000 : 60;
const EXTENDED_SEEDS = isLong ? 1000 : 30;

describe('a run whose calls and generators end differently in each incarnation', () => {
  it(`loses and doubles nothing, and repeats at most one window of what had started before the checkpoint, for ${SEEDS} seeds`, async () => {
    const failures: Simulated[] = [];
    let incarnations = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = await simulateOutcomes(seed);
      if (result.failure !== undefined) failures.push(result);
      incarnations += result.incarnations;
    }
    expect(failures).toEqual([]);
    expect(incarnations).toBeGreaterThan(SEEDS * 1.5);
  }, 600_000);

  it(`works on each record by itself in the pieces of graph that run per record, for ${EXTENDED_SEEDS} seeds`, async () => {
    const failures: Simulated[] = [];
    for (let seed = 1; seed <= EXTENDED_SEEDS; seed++) {
      const result = await simulateExtended(seed);
      if (result.failure !== undefined) failures.push(result);
    }
    expect(failures).toEqual([]);
  }, 600_000);

  it('happens again exactly, seed by seed', async () => {
    for (const seed of [5, 17, 42]) expect(await simulateOutcomes(seed)).toEqual(await simulateOutcomes(seed));
  });
});
