/** A workflow with windows of time behind topics, for specs: late records, a join of two sources, windows of windows. */
import { defineWorkflow, seededRandom, sourceTask, syncTask } from 'millrace';
import { csvSink } from 'millrace/csv';
import { sliding, tumbling, windowJoin, windowTask } from 'millrace/windows';
import { z } from 'zod';

interface Bid {
  readonly auction: string;
  readonly at: number;
  readonly price: number;
}

interface Auction {
  readonly id: string;
  readonly opened: number;
}

const BIDS = 400;
const AUCTIONS = 12;
const LATENESS_MS = 40;

const random = seededRandom(7);
const bids: readonly Bid[] = [...new Array<undefined>(BIDS).keys()].map((n) => ({
  auction: `a${Math.floor(random() * AUCTIONS)}`,
  // Some are older than the lateness allows.
  at: Math.max(0, n * 5 - Math.floor(random() * (n % 17 === 3 ? 400 : LATENESS_MS))),
  price: n,
}));
const auctions: readonly Auction[] = [...new Array<undefined>(AUCTIONS).keys()].map((n) => ({
  id: `a${n}`,
  opened: n * 100,
}));

interface Counted {
  readonly auction: string;
  readonly end: number;
  readonly bids: number;
}

export const WindowFlow = defineWorkflow({
  name: 'WindowFlow',
  config: z.object({ folder: z.string(), bids: z.number().default(BIDS), window: z.number().default(2048) }),
  window: ({ window }) => window,
  build: (flow, { folder, bids: most }) =>
    flow
      .task('Bids', sourceTask(bids.slice(0, most)))
      .task('Auctions', sourceTask(auctions))
      .task(
        'Per auction',
        ['Bids'],
        windowTask(
          {
            key: ({ auction }: Bid) => auction,
            timestamp: ({ at }) => at,
            window: sliding(200, 100),
            init: () => 0,
            add: (count) => count + 1,
            finish: (count, { key, end }): Counted => ({ auction: key, end, bids: count }),
          },
          { allowedLatenessMs: LATENESS_MS },
        ),
      )
      .task(
        'Most',
        ['Per auction'],
        windowTask({
          key: ({ end }: Counted) => end,
          timestamp: ({ end }) => end - 1,
          window: tumbling(100),
          init: () => 0,
          add: (most, counted) => Math.max(most, counted.bids),
          finish: (most, { end }) => ({ end, most }),
        }),
      )
      .task('Hot', ['Most'], csvSink({ path: `${folder}/hot.csv`, columns: ['end', 'most'] }))
      .task('Counts', ['Per auction'], csvSink({ path: `${folder}/counts.csv`, columns: ['auction', 'end', 'bids'] }))
      .task(
        'Missed',
        ['Per auction.late'],
        syncTask(({ record, missed }) => ({ price: record.price, missed: missed.length })),
      )
      .task('Late', ['Missed'], csvSink({ path: `${folder}/late.csv`, columns: ['price', 'missed'] }))
      .task(
        'Early bids',
        ['Auctions', 'Bids'],
        { join: 'merge', labelled: true },
        windowJoin(
          {
            left: { from: 'Auctions', key: ({ id }: Auction) => id, timestamp: ({ opened }) => opened },
            right: { from: 'Bids', key: ({ auction }: Bid) => auction, timestamp: ({ at }) => at },
            window: tumbling(500),
            kind: 'left',
          },
          { allowedLatenessMs: 500 },
        ),
      )
      .task(
        'Pairs',
        ['Early bids'],
        syncTask(({ key, start, right }) => ({ auction: key, start, price: right?.price ?? -1 })),
      )
      .task('Joined', ['Pairs'], csvSink({ path: `${folder}/joined.csv`, columns: ['auction', 'start', 'price'] })),
});

export const FILES = ['hot.csv', 'counts.csv', 'late.csv', 'joined.csv'];
