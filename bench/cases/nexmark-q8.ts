/** A join by window: people who sell in the window in which they came, against a loop. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const nexmarkQ8: BenchCase = {
  name: 'nexmark-q8',
  description: 'events/s of Nexmark q8 (join of people and auctions in windows of 10 s), against a plain loop',
  run: (settings) => {
    const records = settings.isQuick ? 20_000 : 500_000;
    const plan = { records, warmUpRecords: records };
    return compareRates(
      {
        ours: { side: 'nexmark-q8', title: 'a workflow', ...plan },
        theirs: { side: 'nexmark-q8-loop', title: 'a loop over all events', ...plan },
        rounds: roundsOf(settings),
      },
      settings,
      { note: 'the loop keeps all windows until the end, and knows neither late events nor checkpoints' },
    );
  },
};
