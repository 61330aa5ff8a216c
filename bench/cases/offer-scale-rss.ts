/**
 * Measures if the memory of the offer graph is bounded: its peak on a long input against that at an eighth of the
 * length. Each sample is the `maxRSS` that a new process reports about itself, because a process never forgets its
 * peak.
 */
import type { BenchCase } from '../case.js';
import { compare, findingOf } from '../harness.js';

export const offerScaleRss: BenchCase = {
  name: 'offer-scale-rss',
  description: 'peak memory of the offer graph at 4,000,000 records, against that at 500,000',
  goal: { on: 'ratio', is: 'at most', than: 1.2 },
  isSlow: true,
  run: async (settings) => {
    const [long, short] = settings.isQuick ? [800_000, 100_000] : [4_000_000, 500_000];
    const title = (records: number): string => `millrace, ${records} records`;
    const { ours, theirs } = await compare(
      {
        ours: { side: 'millrace-offer', title: title(long), records: long, warmUpRecords: 20_000 },
        theirs: { side: 'millrace-offer', title: title(short), records: short, warmUpRecords: 20_000 },
        rounds: 3,
        isFresh: true,
      },
      settings,
    );
    const mebibytes = (samples: typeof ours): number[] => samples.map(({ maxRssKb }) => maxRssKb / 1024);
    return findingOf(mebibytes(ours), mebibytes(theirs), { unit: 'MiB', against: title(short) });
  },
};
