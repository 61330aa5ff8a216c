/** The cost of observation: a run with every observer, against the same run with none. */
import type { BenchCase } from '../case.js';
import { compareRates } from '../harness.js';

export const telemetryCost: BenchCase = {
  name: 'telemetry-cost',
  description: 'the offer graph with metrics, event file and a live frame, against the same unobserved',
  goal: { on: 'ratio', is: 'at least', than: 0.95 },
  run: (settings) => {
    // Long enough for several measurements, which happen once per second.
    const records = settings.isQuick ? 500_000 : 2_000_000;
    return compareRates(
      {
        ours: { side: 'millrace-offer-observed', title: 'observed', records, warmUpRecords: 500_000 },
        theirs: { side: 'millrace-offer', title: 'unobserved', records, warmUpRecords: 500_000 },
        rounds: settings.isQuick ? 3 : 15,
      },
      settings,
      { isPaired: true },
    );
  },
};
