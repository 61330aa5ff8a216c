/** The offer graph against handwritten RxJS, at a length where the queue of `mergeMap` takes most of the time. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

/** At the full length the peer takes minutes per run, and its noise is small against the goal. */
const THEIR_ROUNDS = 2;

export const offerVsRxjs400k: BenchCase = {
  name: 'offer-vs-rxjs-400k',
  description: 'the same over 400,000 records',
  goal: { on: 'ratio', is: 'at least', than: 30 },
  isSlow: true,
  run: (settings) => {
    const records = settings.isQuick ? 60_000 : 400_000;
    return compareRates(
      {
        ours: { side: 'millrace-offer', title: 'millrace', records, warmUpRecords: 100_000 },
        theirs: { side: 'rxjs-offer', title: 'RxJS, mergeMap(100) over forkJoin', records, warmUpRecords: 20_000 },
        rounds: roundsOf(settings),
        theirRounds: settings.isQuick ? 1 : THEIR_ROUNDS,
      },
      settings,
      { note: 'the peer is quadratic in the length of the input, so it is run only once or twice' },
    );
  },
};
