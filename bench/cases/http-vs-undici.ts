/** The cost of a request task over the library below it: axios, policies, keys, accounts and the graph. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const httpVsUndici: BenchCase = {
  name: 'http-vs-undici',
  description: 'requests over HTTP, against a bare loop over dispatch of undici',
  goal: { on: 'ratio', is: 'at least', than: 0.75 },
  run: (settings) => {
    const records = settings.isQuick ? 3_000 : 30_000;
    return compareRates(
      {
        ours: { side: 'http-millrace', title: 'millrace', records, warmUpRecords: 10_000 },
        theirs: { side: 'http-undici', title: 'bare undici loop', records, warmUpRecords: 10_000 },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
