/** The offer graph against p-map, a common choice for this job. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const offerVsPmap100k: BenchCase = {
  name: 'offer-vs-pmap-100k',
  description: 'the same over 100,000 records, against pMapIterable with concurrency 100',
  goal: { on: 'ratio', is: 'at least', than: 1 },
  run: (settings) => {
    const records = settings.isQuick ? 30_000 : 100_000;
    return compareRates(
      {
        ours: { side: 'millrace-offer', title: 'millrace', records, warmUpRecords: records },
        theirs: {
          side: 'pmap-offer',
          title: 'p-map, pMapIterable with concurrency 100',
          records,
          warmUpRecords: records,
        },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
