/** Measures if memory depends on the number of calls: the peak for ten times the members. */
import type { BenchCase } from '../case.js';
import { compare, findingOf } from '../harness.js';

export const offerWsRss: BenchCase = {
  name: 'offer-ws-rss',
  description: 'peak memory of OfferWorkFlow over WebSocket, 100,000 members against 10,000',
  run: async (settings) => {
    const members = settings.isQuick ? 20_000 : 100_000;
    const { ours, theirs } = await compare(
      {
        ours: { side: 'offer-ws', title: `${members} members`, records: members, warmUpRecords: 1_000 },
        theirs: { side: 'offer-ws', title: `${members / 10} members`, records: members / 10, warmUpRecords: 1_000 },
        rounds: settings.isQuick ? 1 : 3,
        isFresh: true,
      },
      settings,
    );
    return findingOf(
      ours.map(({ maxRssKb }) => maxRssKb / 1024),
      theirs.map(({ maxRssKb }) => maxRssKb / 1024),
      {
        unit: 'MiB',
        against: `${members / 10} members`,
        note: 'an aggregate keeps a state for every member, so this grows with the members, not with the calls',
      },
    );
  },
};
