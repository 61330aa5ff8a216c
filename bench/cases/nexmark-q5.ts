/** Sliding windows: the auctions with the most bids, against a loop without time, state or limits. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const nexmarkQ5: BenchCase = {
  name: 'nexmark-q5',
  description: 'events/s of Nexmark q5 (sliding windows of 10 s each 2 s, hottest auctions), against a plain loop',
  run: (settings) => {
    const records = settings.isQuick ? 20_000 : 200_000;
    const plan = { records, warmUpRecords: records };
    return compareRates(
      {
        ours: { side: 'nexmark-q5', title: 'a workflow', ...plan },
        theirs: { side: 'nexmark-q5-loop', title: 'a loop over all events', ...plan },
        rounds: roundsOf(settings),
      },
      settings,
      { note: 'the loop keeps all windows until the end, and knows neither late events nor checkpoints' },
    );
  },
};
