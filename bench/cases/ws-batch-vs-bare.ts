/** The hottest path of calls: hundreds of thousands of records per second. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const wsBatchVsBare: BenchCase = {
  name: 'ws-batch-vs-bare',
  description: 'calls over one WebSocket, 64 per message, against a bare batched loop',
  goal: { on: 'ratio', is: 'at least', than: 0.85 },
  run: (settings) => {
    const records = settings.isQuick ? 100_000 : 400_000;
    return compareRates(
      {
        ours: { side: 'ws-batch-millrace', title: 'millrace', records, warmUpRecords: 100_000 },
        theirs: { side: 'ws-batch-bare', title: 'bare batched loop', records: records, warmUpRecords: 100_000 },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
