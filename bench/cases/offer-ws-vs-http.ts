/** The gain from a WebSocket in OfferWorkFlow: three calls per member, file to file. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const offerWsVsHttp: BenchCase = {
  name: 'offer-ws-vs-http',
  description: 'OfferWorkFlow over generated members, over WebSocket against over HTTP',
  goal: { on: 'ratio', is: 'at least', than: 8 },
  isSlow: true,
  run: (settings) => {
    const members = settings.isQuick ? 20_000 : 100_000;
    return compareRates(
      {
        ours: { side: 'offer-ws', title: 'ws', records: members, warmUpRecords: members },
        theirs: { side: 'offer-http', title: 'http', records: members / 20, warmUpRecords: members / 20 },
        rounds: roundsOf(settings),
      },
      settings,
      { note: 'http asks for a twentieth of the members; the samples hold reading and writing the files' },
    );
  },
};
