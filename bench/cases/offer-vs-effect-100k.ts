/** The offer graph against the same in Effect streams. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const offerVsEffect100k: BenchCase = {
  name: 'offer-vs-effect-100k',
  description: 'the same over 100,000 records, against mapEffect with concurrency 100 in Effect 4',
  goal: { on: 'ratio', is: 'at least', than: 4 },
  run: (settings) => {
    const records = settings.isQuick ? 30_000 : 100_000;
    return compareRates(
      {
        ours: { side: 'millrace-offer', title: 'millrace', records, warmUpRecords: records },
        theirs: {
          side: 'effect-offer',
          title: 'Effect 4, mapEffect with concurrency 100',
          records,
          warmUpRecords: records,
        },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
