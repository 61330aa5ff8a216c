/** The offer graph against handwritten RxJS, on an input that ends before the code of either side is warm. */
import type { BenchCase } from '../case.js';
import { compareRates } from '../harness.js';

export const offerVsRxjs10k: BenchCase = {
  name: 'offer-vs-rxjs-10k',
  description: 'the seven-task offer graph over 10,000 records, against mergeMap(100) over forkJoin in RxJS',
  goal: { on: 'ratio', is: 'at least', than: 1.5 },
  run: (settings) => {
    const records = 10_000;
    return compareRates(
      {
        ours: { side: 'millrace-offer', title: 'millrace', records, warmUpRecords: records },
        theirs: { side: 'rxjs-offer', title: 'RxJS, mergeMap(100) over forkJoin', records, warmUpRecords: records },
        rounds: settings.isQuick ? 3 : 15,
      },
      settings,
    );
  },
};
