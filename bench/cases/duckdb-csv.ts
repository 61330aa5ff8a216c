/** The cost of a run around a query of DuckDB over a large CSV file. */
import type { BenchCase } from '../case.js';
import { compare, findingOf, ratesOf, roundsOf } from '../harness.js';

/** 100 MB, of 414,000 members. */
const ROWS = 2_090_000;

export const duckdbCsv: BenchCase = {
  name: 'duckdb-csv',
  description: 'A keyed aggregate in SQL over a 100 MB CSV file, its rows as records of a run, against DuckDB alone',
  goal: { on: 'ratio', is: 'at least', than: 0.8 },
  run: async (settings) => {
    const records = settings.isQuick ? ROWS / 50 : ROWS;
    const { ours, theirs } = await compare(
      {
        ours: { side: 'duckdb-millrace', title: 'millrace', records, warmUpRecords: records },
        theirs: { side: 'duckdb-alone', title: 'DuckDB alone', records, warmUpRecords: records },
        rounds: roundsOf(settings),
      },
      settings,
    );
    return findingOf(ratesOf(ours, records), ratesOf(theirs, records), {
      unit: 'rows of the file/s',
      against: 'DuckDB and its own client',
    });
  },
};
