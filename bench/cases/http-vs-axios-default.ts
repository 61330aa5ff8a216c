/** The gain of the undici adapter for users of axios. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const httpVsAxiosDefault: BenchCase = {
  name: 'http-vs-axios-default',
  description: 'requests over HTTP, against a loop over axios as it comes',
  goal: { on: 'ratio', is: 'at least', than: 5 },
  run: (settings) => {
    const records = settings.isQuick ? 3_000 : 15_000;
    return compareRates(
      {
        ours: { side: 'http-millrace', title: 'millrace', records, warmUpRecords: 3_000 },
        theirs: { side: 'http-axios-default', title: 'axios as it comes', records: records, warmUpRecords: 3_000 },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
