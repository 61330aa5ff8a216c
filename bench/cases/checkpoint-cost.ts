/** The cost of checkpoints at the default interval: the same copy of a file with them and without. */
import type { BenchCase } from '../case.js';
import { compareRates } from '../harness.js';

export const checkpointCost: BenchCase = {
  name: 'checkpoint-cost',
  description: 'records/s from file to file with checkpoints, against the same without',
  goal: { on: 'ratio', is: 'at least', than: 0.98 },
  run: (settings) => {
    const records = settings.isQuick ? 200_000 : 1_000_000;
    return compareRates(
      {
        ours: { side: 'copy-checkpoints', title: 'with checkpoints', records, warmUpRecords: records },
        theirs: { side: 'copy-plain', title: 'without', records, warmUpRecords: records },
        rounds: settings.isQuick ? 3 : 15,
      },
      settings,
      { isPaired: true, note: 'the cost of two fdatasync per second depends on the disk' },
    );
  },
};
