/**
 * Measures if the offer graph is as fast on a long input as on a short one: against itself at an eighth of the length.
 */
import type { BenchCase } from '../case.js';
import { compareRates } from '../harness.js';

export const offerScaleRate: BenchCase = {
  name: 'offer-scale-rate',
  description: 'records/s of the offer graph at 4,000,000 records, against those at 500,000',
  goal: { on: 'ratio', is: 'at least', than: 0.9 },
  isSlow: true,
  run: (settings) => {
    const [long, short] = settings.isQuick ? [800_000, 100_000] : [4_000_000, 500_000];
    return compareRates(
      {
        ours: { side: 'millrace-offer', title: `millrace, ${long} records`, records: long, warmUpRecords: short },
        theirs: { side: 'millrace-offer', title: `millrace, ${short} records`, records: short, warmUpRecords: short },
        rounds: 3,
      },
      settings,
    );
  },
};
