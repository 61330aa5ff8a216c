/** The rate of `csvSink`, beside a loop that only joins the values of a row. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const csvWriteVsLoop: BenchCase = {
  name: 'csv-write-vs-loop',
  description: 'rows of three columns through csvSink, against a loop that joins values and quotes nothing',
  goal: { on: 'value', is: 'at least', than: 1_000_000, unit: 'records/s' },
  run: (settings) => {
    const records = settings.isQuick ? 100_000 : 2_000_000;
    return compareRates(
      {
        ours: { side: 'csv-sink', title: 'csvSink', records, warmUpRecords: records },
        theirs: { side: 'csv-loop', title: 'a plain loop', records, warmUpRecords: records },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
