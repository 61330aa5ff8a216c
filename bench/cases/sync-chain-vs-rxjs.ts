/** Five sync tasks in a row against five RxJS `map`s: the cost of an edge without any waiting. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const syncChainVsRxjs: BenchCase = {
  name: 'sync-chain-vs-rxjs',
  description: 'a chain of five sync tasks over 1,000,000 records, against five RxJS maps over single records',
  goal: { on: 'ratio', is: 'at least', than: 1 },
  run: (settings) => {
    const records = settings.isQuick ? 300_000 : 1_000_000;
    return compareRates(
      {
        ours: { side: 'millrace-chain', title: 'millrace', records, warmUpRecords: records },
        theirs: { side: 'rxjs-chain', title: 'RxJS, five maps', records, warmUpRecords: records },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
