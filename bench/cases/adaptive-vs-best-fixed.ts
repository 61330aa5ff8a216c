/** Compares automatic concurrency with the best fixed number, for an upstream with an unknown limit. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const adaptiveVsBestFixed: BenchCase = {
  name: 'adaptive-vs-best-fixed',
  description: 'concurrency that finds itself, against the best fixed number for an upstream with a hidden limit',
  goal: { on: 'ratio', is: 'at least', than: 0.9 },
  isSlow: true,
  run: (settings) => {
    const records = settings.isQuick ? 1_000 : 8_000;
    return compareRates(
      {
        ours: { side: 'adaptive-auto', title: 'auto', records, warmUpRecords: records / 4 },
        theirs: { side: 'adaptive-fixed', title: 'best fixed', records, warmUpRecords: records / 4 },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
