/** The cost of axios alone, with our adapter below it. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const httpAxiosInstanceVsUndici: BenchCase = {
  name: 'http-axios-instance-vs-undici',
  description: 'a bare loop over axios with the undici adapter, against a bare loop over dispatch of undici',
  run: (settings) => {
    const records = settings.isQuick ? 3_000 : 15_000;
    return compareRates(
      {
        ours: { side: 'http-axios-instance', title: 'axios, undiciAdapter', records, warmUpRecords: 3_000 },
        theirs: { side: 'http-undici', title: 'bare undici loop', records, warmUpRecords: 3_000 },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
