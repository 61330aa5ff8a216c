/** Five sync tasks in a row against five transforms of Node's streams. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const syncChainVsStreams: BenchCase = {
  name: 'sync-chain-vs-streams',
  description: 'the same chain, against five transforms in object mode',
  run: (settings) => {
    const records = settings.isQuick ? 100_000 : 300_000;
    return compareRates(
      {
        ours: { side: 'millrace-chain', title: 'millrace', records, warmUpRecords: records },
        theirs: { side: 'streams-chain', title: 'Node streams, five transforms', records, warmUpRecords: records },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
