/** The fold of OfferWorkFlow in executors of Spark, against the same fold in one thread. */
import type { BenchCase } from '../case.js';
import { compareRates } from '../harness.js';
import { withSpark } from '../spark-server.js';

export const sparkTransformVsFold: BenchCase = {
  name: 'spark-transform-vs-fold',
  description: 'Features of members over a CSV file of 1,000,000 rows: onSpark on two cores, against the fold here',
  isSlow: true,
  run: (settings) => {
    const records = settings.isQuick ? 20_000 : 1_000_000;
    return withSpark(() =>
      compareRates(
        {
          ours: { side: 'spark-features', title: 'onSpark', records, warmUpRecords: records },
          theirs: { side: 'local-features', title: 'the fold in one thread', records, warmUpRecords: records },
          rounds: settings.isQuick ? 1 : 3,
        },
        settings,
        { note: 'Spark is warm and on the same machine' },
      ),
    );
  },
};
