/**
 * Rows of Spark as records of a run, against the package that reads Arrow, which decodes the same messages alone. The time on a processor is compared,
 * because Spark computes the rows on the same cores, and sends them no faster than it computes them.
 */
import type { BenchCase } from '../case.js';
import { compareCpu, roundsOf } from '../harness.js';
import { withSpark } from '../spark-server.js';

export const sparkRowsVsDecoding: BenchCase = {
  name: 'spark-rows-vs-decoding',
  description: 'CPU time per row of 2,000,000 rows of Spark through sparkSource to a sink, against decoding them alone',
  // 0.7 of the rows per second of processor time.
  goal: { on: 'ratio', is: 'at most', than: 1.43 },
  isSlow: true,
  run: (settings) => {
    const records = settings.isQuick ? 100_000 : 2_000_000;
    return withSpark(() =>
      compareCpu(
        {
          ours: { side: 'spark-rows', title: 'sparkSource', records, warmUpRecords: records },
          theirs: {
            side: 'spark-decoding',
            title: 'the bytes in memory, decoded by Flechette',
            records,
            warmUpRecords: records,
          },
          rounds: roundsOf(settings),
        },
        settings,
      ),
    );
  },
};
