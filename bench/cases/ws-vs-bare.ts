/** The cost of matching, policies and accounts for a pipelined call. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const wsVsBare: BenchCase = {
  name: 'ws-vs-bare',
  description: 'calls over one WebSocket, one per message, against a bare loop',
  goal: { on: 'ratio', is: 'at least', than: 0.8 },
  run: (settings) => {
    const records = settings.isQuick ? 20_000 : 100_000;
    return compareRates(
      {
        ours: { side: 'ws-millrace', title: 'millrace', records, warmUpRecords: 20_000 },
        theirs: { side: 'ws-bare', title: 'bare ws loop', records: records, warmUpRecords: 20_000 },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
