/** The offer graph against handwritten RxJS, at a length where the queue of `mergeMap` begins to cost time. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const offerVsRxjs100k: BenchCase = {
  name: 'offer-vs-rxjs-100k',
  description: 'the seven-task offer graph over 100,000 records, against mergeMap(100) over forkJoin in RxJS',
  goal: { on: 'ratio', is: 'at least', than: 10 },
  run: (settings) => {
    const records = settings.isQuick ? 30_000 : 100_000;
    return compareRates(
      {
        ours: { side: 'millrace-offer', title: 'millrace', records, warmUpRecords: records },
        theirs: { side: 'rxjs-offer', title: 'RxJS, mergeMap(100) over forkJoin', records, warmUpRecords: 20_000 },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
