/** The cost of policies, keys and accounts over the bare axios instance. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const httpVsAxiosInstance: BenchCase = {
  name: 'http-vs-axios-instance',
  description: 'requests over HTTP, against a bare loop over the same axios instance',
  goal: { on: 'ratio', is: 'at least', than: 0.8 },
  isSlow: true,
  run: (settings) => {
    const records = settings.isQuick ? 3_000 : 15_000;
    return compareRates(
      {
        ours: { side: 'http-millrace', title: 'millrace', records, warmUpRecords: 3_000 },
        theirs: {
          side: 'http-axios-instance',
          title: 'bare loop, same instance',
          records: records,
          warmUpRecords: 3_000,
        },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
