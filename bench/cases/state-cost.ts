/** The cost of durable state: checkpoints that contain the state of an aggregate, against checkpoints that do not. */
import type { BenchCase } from '../case.js';
import { compareRates } from '../harness.js';

export const stateCost: BenchCase = {
  name: 'state-cost',
  description:
    'members/s of the offer graph with the state of its aggregate kept, against the same with it computed again',
  goal: { on: 'ratio', is: 'at least', than: 0.95 },
  isSlow: true,
  run: (settings) => {
    const records = settings.isQuick ? 50_000 : 100_000;
    return compareRates(
      {
        ours: { side: 'state-kept', title: 'kept', records, warmUpRecords: records },
        theirs: { side: 'state-computed', title: 'computed again', records, warmUpRecords: records },
        rounds: settings.isQuick ? 3 : 15,
      },
      settings,
      { note: 'upstreams in process that answer after 1 ms, ten times as fast as over HTTP' },
    );
  },
};
