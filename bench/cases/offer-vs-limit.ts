/**
 * The share of the maximum that the offer graph reaches: against 100 plain async loops with all tasks fused into each.
 */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const offerVsLimit: BenchCase = {
  name: 'offer-vs-limit',
  description: 'the share it reaches of 100 fused plain async loops, over 500,000 records',
  goal: { on: 'ratio', is: 'at least', than: 0.45 },
  run: (settings) => {
    const records = settings.isQuick ? 100_000 : 500_000;
    return compareRates(
      {
        ours: { side: 'millrace-offer', title: 'millrace', records, warmUpRecords: 100_000 },
        theirs: { side: 'loops-offer', title: '100 fused plain async loops', records, warmUpRecords: 100_000 },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
