import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkGraph } from '../support/check-graph.js';
import { isLong } from '../support/long.js';

/** `GRAPHS=20000 npm run jest -- random-graphs` runs more of them. */
const GRAPHS = Number(process.env['GRAPHS'] ?? (isLong ? 300 : 40));
const seeds = fc.integer({ min: 0, max: 2 ** 31 });

describe('a random graph', () => {
  it.each([
    ['with real delays', false],
    ['in virtual time', true],
  ])(
    'emits at every task exactly what the reference interpreter says, %s: nothing mispaired, lost or doubled',
    async (_, isVirtual) => {
      let failed = 0;
      await fc.assert(
        fc.asyncProperty(seeds, async (seed) => {
          const { mustFail } = await checkGraph(seed, isVirtual);
          if (mustFail) failed++;
        }),
        // The same graphs in every run of CI; `GRAPHS_SEED` draws others.
        { numRuns: GRAPHS, seed: Number(process.env['GRAPHS_SEED'] ?? 20_261_123) },
      );
      // Most graphs must be compared to the end, and a few must be those that fail.
      expect(failed).toBeGreaterThan(0);
      expect(failed).toBeLessThan(GRAPHS / 4);
    },
    // Real delays take as long as the machine is busy.
    60_000 + GRAPHS * 300,
  );
});
