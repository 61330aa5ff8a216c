/** Shows why records travel in chunks: one message per record costs more than most work. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const bridgeVsPiscina: BenchCase = {
  name: 'bridge-vs-piscina',
  description: 'small records to one thread and back, against piscina with a task per record',
  goal: { on: 'ratio', is: 'at least', than: 8 },
  run: (settings) => {
    const records = settings.isQuick ? 100_000 : 500_000;
    return compareRates(
      {
        ours: { side: 'bridge-millrace', title: 'millrace', records, warmUpRecords: records / 5 },
        theirs: { side: 'bridge-piscina', title: 'piscina', records: records / 5, warmUpRecords: records / 25 },
        rounds: roundsOf(settings),
      },
      settings,
      { note: 'one thread each; piscina does a fifth of the records' },
    );
  },
};
