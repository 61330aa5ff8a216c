/** The offer graph over 100,000,000 records: whether rate and memory stay those of a short run. */
import type { BenchCase } from '../case.js';
import { compare, findingOf, ratesOf } from '../harness.js';
import type { Sample } from '../side-process.js';

const LONG = 100_000_000;
const SHORT = 1_000_000;

export const scale100m: BenchCase = {
  name: 'scale-100m',
  description: 'records/s of the offer graph at 100,000,000 records, against those at 1,000,000',
  goal: { on: 'ratio', is: 'at least', than: 0.95 },
  isSlow: true,
  run: async (settings) => {
    const { ours, theirs } = await compare(
      {
        ours: { side: 'millrace-offer', title: 'millrace, 100 M records', records: LONG, warmUpRecords: SHORT },
        theirs: { side: 'millrace-offer', title: 'millrace, 1 M records', records: SHORT, warmUpRecords: SHORT },
        rounds: 1,
        theirRounds: 5,
        isFresh: true,
      },
      settings,
    );
    const mebibytes = (samples: readonly Sample[]): number =>
      Math.max(...samples.map(({ maxRssKb }) => maxRssKb / 1024));
    return findingOf(ratesOf(ours, LONG), ratesOf(theirs, SHORT), {
      unit: 'records/s',
      against: 'millrace, 1 M records',
      note: `peak memory ${mebibytes(ours).toFixed(0)} MiB, at 1 M records ${mebibytes(theirs).toFixed(0)} MiB`,
    });
  },
};
