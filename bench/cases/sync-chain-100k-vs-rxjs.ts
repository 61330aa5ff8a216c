/** Five sync tasks in a row against five RxJS `map`s, on an input that is short for a loop that has to become warm. */
import type { BenchCase } from '../case.js';
import { compareRates } from '../harness.js';

export const syncChain100kVsRxjs: BenchCase = {
  name: 'sync-chain-100k-vs-rxjs',
  description: 'a chain of five sync tasks over 100,000 records, against five RxJS maps over single records',
  goal: { on: 'ratio', is: 'at least', than: 1 },
  run: (settings) => {
    const records = 100_000;
    return compareRates(
      {
        ours: { side: 'millrace-chain', title: 'millrace', records, warmUpRecords: records },
        theirs: { side: 'rxjs-chain', title: 'RxJS, five maps', records, warmUpRecords: records },
        rounds: settings.isQuick ? 3 : 15,
      },
      settings,
    );
  },
};
