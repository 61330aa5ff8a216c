/** How far one thread of JavaScript is from a vectorised engine in C++ at the same aggregate over the same CSV file. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

/** 100 MB. */
const ROWS = 2_090_000;

export const csvVsDuckdb: BenchCase = {
  name: 'csv-vs-duckdb',
  description: "Extract and Transform of a 100 MB member file in one thread, against DuckDB's SQL with all cores",
  run: (settings) => {
    const records = settings.isQuick ? ROWS / 50 : ROWS;
    return compareRates(
      {
        ours: { side: 'members-count', title: 'one thread', records, warmUpRecords: records },
        theirs: { side: 'members-duckdb', title: 'DuckDB', records, warmUpRecords: records },
        rounds: Math.min(3, roundsOf(settings)),
      },
      settings,
    );
  },
};
