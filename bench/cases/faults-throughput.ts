/** The cost of a bad upstream for the records that its faults do not hit. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const faultsThroughput: BenchCase = {
  name: 'faults-throughput',
  description: 'requests over HTTP with 5 % errors and a p99 of ten medians, against the same upstream without faults',
  goal: { on: 'ratio', is: 'at least', than: 0.8 },
  isSlow: true,
  run: (settings) => {
    const records = settings.isQuick ? 1_500 : 15_000;
    return compareRates(
      {
        ours: { side: 'faults-some', title: '5 % errors and a tail', records, warmUpRecords: records / 5 },
        theirs: { side: 'faults-none', title: 'no faults', records, warmUpRecords: records / 5 },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
