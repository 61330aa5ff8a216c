/** A keyed aggregate in SQL of Spark, against the same aggregate in one thread. */
import type { BenchCase } from '../case.js';
import { compareRates } from '../harness.js';
import { withSpark } from '../spark-server.js';

export const sparkSqlVsFold: BenchCase = {
  name: 'spark-sql-vs-fold',
  description:
    'Totals of members over a CSV file of 1,000,000 rows: SQL of Spark on two cores, against an aggregate here',
  isSlow: true,
  run: (settings) => {
    const records = settings.isQuick ? 20_000 : 1_000_000;
    return withSpark(() =>
      compareRates(
        {
          ours: { side: 'spark-totals', title: 'SQL of Spark', records, warmUpRecords: records },
          theirs: { side: 'local-totals', title: 'aggregateTask, one thread', records, warmUpRecords: records },
          rounds: settings.isQuick ? 1 : 3,
        },
        settings,
        { note: 'Spark is warm and on the same machine' },
      ),
    );
  },
};
