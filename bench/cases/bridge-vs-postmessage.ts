/** The cost of credits, adaptive chunks, order and error handling over a bare port. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const bridgeVsPostmessage: BenchCase = {
  name: 'bridge-vs-postmessage',
  description: 'small records to one thread and back, against a bare postMessage ping-pong of batches of 1,024',
  goal: { on: 'ratio', is: 'at least', than: 0.8 },
  run: (settings) => {
    const records = settings.isQuick ? 100_000 : 500_000;
    return compareRates(
      {
        ours: { side: 'bridge-millrace', title: 'millrace', records, warmUpRecords: records / 5 },
        theirs: { side: 'bridge-postmessage', title: 'postMessage ping-pong', records, warmUpRecords: records / 5 },
        rounds: roundsOf(settings),
      },
      settings,
      { note: 'both start and end their thread within the sample' },
    );
  },
};
