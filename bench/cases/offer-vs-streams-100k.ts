/** The offer graph against Node's own streams. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const offerVsStreams100k: BenchCase = {
  name: 'offer-vs-streams-100k',
  description: 'the same over 100,000 records, against map with concurrency 100 of Node streams',
  run: (settings) => {
    const records = settings.isQuick ? 30_000 : 100_000;
    return compareRates(
      {
        ours: { side: 'millrace-offer', title: 'millrace', records, warmUpRecords: records },
        theirs: {
          side: 'streams-offer',
          title: 'Node streams, map with concurrency 100',
          records,
          warmUpRecords: records,
        },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
