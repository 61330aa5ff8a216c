/**
 * The gain from a second core for a large file: read, checked and folded in two threads, or in the thread of the run.
 */
import type { BenchCase } from '../case.js';
import { compare, findingOf, ratesOf, roundsOf } from '../harness.js';
import type { Sample } from '../side-process.js';

/** 100 MB. */
const ROWS = 2_090_000;

export const csvPartitionSpeedup: BenchCase = {
  name: 'csv-partition-speedup',
  description: 'Extract and Transform of a 100 MB member file in two partitions, against the same run in one',
  goal: { on: 'ratio', is: 'at least', than: 1.6 },
  run: async (settings) => {
    const records = settings.isQuick ? ROWS / 50 : ROWS;
    const { ours, theirs } = await compare(
      {
        ours: { side: 'members-partitions', title: 'two partitions', records, warmUpRecords: records },
        theirs: { side: 'members-one', title: 'one thread', records, warmUpRecords: records },
        rounds: Math.min(3, roundsOf(settings)),
      },
      settings,
    );
    return findingOf(ratesOf(ours, records), ratesOf(theirs, records), {
      unit: 'records/s',
      against: 'one thread',
      note: `needs two free cores; in partitions ${strainOf(ours)}; in one thread ${strainOf(theirs)}`,
    });
  },
};

/** The worst values of all samples. */
function strainOf(samples: readonly Sample[]): string {
  const peak = Math.max(...samples.map(({ maxRssKb }) => maxRssKb / 1024));
  const delay = Math.max(...samples.map(({ loopDelayMs }) => loopDelayMs));
  return `peak memory ${peak.toFixed(0)} MiB, p99 of the event loop's delay ${delay.toFixed(0)} ms`;
}
