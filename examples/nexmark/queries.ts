/**
 * The Nexmark queries q0 to q8, q11 and q12 as workflows. Each ends in the task `Result`.
 *
 * The queries that the benchmark describes by a stream of updates (q4, q6) give their last update per key, because the
 * input ends.
 */
import { aggregateTask, branch, defineWorkflow, expandTask, skip, sourceTask, syncTask, type Flow } from 'millrace';
import { session, sliding, tumbling, windowJoin, windowTask } from 'millrace/windows';
import type { Auction, Bid, NexmarkEvent, Person } from './events.js';

/** The input of a query. */
export interface QueryInput {
  readonly events: () => Iterable<NexmarkEvent> | AsyncIterable<NexmarkEvent>;
  /** The time by which an event may be older than the newest event before it, in milliseconds. */
  readonly disorderMs: number;
}

/** Euros per dollar. */
export const RATE = 0.908;
export const SELECTED = 123;
export const CATEGORY = 10;
export const STATES: readonly string[] = ['OR', 'ID', 'CA'];
export const HOT = { sizeMs: 10_000, everyMs: 2_000 } as const;
export const WINDOW_MS = 10_000;
export const GAP_MS = 2_000;
export const LAST_SALES = 10;

/** The price at which an auction was sold. */
export interface Sale {
  readonly auction: number;
  readonly category: number;
  readonly seller: number;
  readonly expires: number;
  readonly price: number;
}

/** The number of bids for an auction in a window. */
export interface Heat {
  readonly auction: number;
  readonly bids: number;
  readonly end: number;
}

const events = ({ events: read }: QueryInput) => sourceTask<NexmarkEvent>(read, { replayable: true });

const bids = syncTask((event: NexmarkEvent) => (event.kind === 'bid' ? event : skip('no bid')));

const auctions = syncTask((event: NexmarkEvent) => (event.kind === 'auction' ? event : skip('no auction')));

const people = syncTask((event: NexmarkEvent) => (event.kind === 'person' ? event : skip('no person')));

const withBids = (input: QueryInput) => (flow: Flow<object>) =>
  flow.task('Events', events(input)).task('Bids', ['Events'], bids);

/** q0: all events, unchanged. */
export const q0 = (input: QueryInput) =>
  defineWorkflow({
    name: 'q0',
    build: (flow) =>
      flow.task('Events', events(input)).task(
        'Result',
        ['Events'],
        syncTask((event) => event),
      ),
  });

/** q1: the prices of bids in euros. */
export const q1 = (input: QueryInput) =>
  defineWorkflow({
    name: 'q1',
    build: (flow) =>
      withBids(input)(flow).task(
        'Result',
        ['Bids'],
        syncTask((bid) => ({ ...bid, price: bid.price * RATE })),
      ),
  });

/** q2: the bids for some auctions. */
export const q2 = (input: QueryInput) =>
  defineWorkflow({
    name: 'q2',
    build: (flow) =>
      withBids(input)(flow).task(
        'Result',
        ['Bids'],
        syncTask(({ auction, price }) => (auction % SELECTED === 0 ? { auction, price } : skip('another auction'))),
      ),
  });

/** q3: who sells items of one category in some states. */
export const q3 = (input: QueryInput) =>
  defineWorkflow({
    name: 'q3',
    build: (flow) =>
      flow
        .task('Events', events(input))
        .task(
          'Sellers',
          ['Events'],
          syncTask((event) => (event.kind === 'person' && STATES.includes(event.state) ? event : skip('elsewhere'))),
        )
        .task(
          'Items',
          ['Events'],
          syncTask((event) => (event.kind === 'auction' && event.category === CATEGORY ? event : skip('other'))),
        )
        .task(
          'Result',
          ['Items', 'Sellers'],
          { join: 'keyed', kind: 'inner', on: [(auction) => auction.seller, (person) => person.id] },
          syncTask(([auction, { name, city, state }]) => ({ name, city, state, auction: auction.id })),
        ),
  });

/** The best bid for each auction between its beginning and its end. */
const withSales = (input: QueryInput) => (flow: Flow<object>) =>
  flow
    .task('Events', events(input))
    .task('Auctions', ['Events'], auctions)
    .task('Bids', ['Events'], bids)
    .task(
      'Offers',
      ['Auctions', 'Bids'],
      { join: 'keyed', kind: 'inner', on: [(auction) => auction.id, (bid) => bid.auction] },
      syncTask(([auction, bid]) =>
        auction.at <= bid.at && bid.at <= auction.expires ? offerOf(auction, bid) : skip('not in time'),
      ),
    )
    .task(
      'Sales',
      ['Offers'],
      aggregateTask({
        key: (sale: Sale) => sale.auction,
        init: (): Sale | undefined => undefined,
        add: (best, sale) => (best !== undefined && best.price >= sale.price ? best : sale),
        finish: (best) => best ?? skip('no bid'),
      }),
    );

const offerOf = ({ id, category, seller, expires }: Auction, { price }: Bid): Sale => ({
  ...{ auction: id, category, seller, expires, price },
});

/** q4: the average price at which items of a category are sold. */
export const q4 = (input: QueryInput) =>
  defineWorkflow({
    name: 'q4',
    build: (flow) =>
      withSales(input)(flow).task(
        'Result',
        ['Sales'],
        aggregateTask({
          key: (sale: Sale) => sale.category,
          init: () => ({ sum: 0, count: 0 }),
          add: ({ sum, count }, { price }) => ({ sum: sum + price, count: count + 1 }),
          finish: ({ sum, count }, category) => ({ category, average: sum / count }),
        }),
      ),
  });

/** q5: in each sliding window, the auctions with the most bids. */
export const q5 = (input: QueryInput) =>
  defineWorkflow({
    name: 'q5',
    build: (flow) =>
      withBids(input)(flow)
        .task(
          'Heat',
          ['Bids'],
          windowTask(
            {
              key: (bid: Bid) => bid.auction,
              timestamp: ({ at }) => at,
              window: sliding(HOT.sizeMs, HOT.everyMs),
              init: () => 0,
              add: (count) => count + 1,
              finish: (count, { key, end }): Heat => ({ auction: key, bids: count, end }),
            },
            { allowedLatenessMs: input.disorderMs },
          ),
        )
        .task(
          'Hottest',
          ['Heat'],
          windowTask({
            timestamp: ({ end }: Heat) => end - 1,
            window: tumbling(HOT.everyMs),
            init: (): Heat[] => [],
            add: hottest,
            finish: (heats) => heats,
          }),
        )
        .task(
          'Result',
          ['Hottest'],
          expandTask((heats) => heats),
        ),
  });

function hottest(best: Heat[], heat: Heat): Heat[] {
  const most = best[0]?.bids ?? 0;
  if (heat.bids === most) return [...best, heat];
  return heat.bids > most ? [heat] : best;
}

/** q6: the average price of the last ten sales of each seller. */
export const q6 = (input: QueryInput) =>
  defineWorkflow({
    name: 'q6',
    build: (flow) =>
      withSales(input)(flow).task(
        'Result',
        ['Sales'],
        aggregateTask({
          key: (sale: Sale) => sale.seller,
          init: (): Sale[] => [],
          add: (last, sale) =>
            [...last, sale].sort((a, b) => b.expires - a.expires || b.auction - a.auction).slice(0, LAST_SALES),
          finish: (last, seller) => ({
            seller,
            average: last.reduce((sum, { price }) => sum + price, 0) / last.length,
          }),
        }),
      ),
  });

/** q7: in each window, the highest bids. */
export const q7 = (input: QueryInput) =>
  defineWorkflow({
    name: 'q7',
    build: (flow) =>
      withBids(input)(flow)
        .task(
          'Highest',
          ['Bids'],
          windowTask(
            {
              timestamp: ({ at }: Bid) => at,
              window: tumbling(WINDOW_MS),
              init: (): Bid[] => [],
              add: (best, bid) => {
                const most = best[0]?.price ?? 0;
                if (bid.price === most) return [...best, bid];
                return bid.price > most ? [bid] : best;
              },
              finish: (best) => best,
            },
            { allowedLatenessMs: input.disorderMs },
          ),
        )
        .task(
          'Result',
          ['Highest'],
          expandTask((best) => best),
        ),
  });

/** q8: the people who offered something within the window in which they came. */
export const q8 = (input: QueryInput) =>
  defineWorkflow({
    name: 'q8',
    build: (flow) =>
      flow
        .task('Events', events(input))
        .task(
          'Kind',
          ['Events'],
          branch(['person', 'auction'], ({ kind }) => (kind === 'bid' ? skip('bid') : kind)),
        )
        .task('People', ['Kind.person'], people)
        .task('Auctions', ['Kind.auction'], auctions)
        .task(
          'Sellers',
          ['People', 'Auctions'],
          { join: 'merge', labelled: true },
          windowJoin(
            {
              left: { from: 'People', key: (person: Person) => person.id, timestamp: ({ at }) => at },
              right: { from: 'Auctions', key: (auction: Auction) => auction.seller, timestamp: ({ at }) => at },
              window: tumbling(WINDOW_MS),
              kind: 'inner',
            },
            { allowedLatenessMs: input.disorderMs },
          ),
        )
        // A person may have offered several items.
        .task(
          'Result',
          ['Sellers'],
          windowTask({
            key: ({ left }: { readonly left: Person; readonly end: number }) => left.id,
            timestamp: ({ end }) => end - 1,
            window: tumbling(WINDOW_MS),
            init: () => '',
            add: (_name, { left }) => left.name,
            finish: (name, { key, start }) => ({ id: key, name, start }),
          }),
        ),
  });

/** q11: the number of bids of each bidder, until a pause. */
export const q11 = (input: QueryInput) =>
  defineWorkflow({
    name: 'q11',
    build: (flow) =>
      withBids(input)(flow).task(
        'Result',
        ['Bids'],
        windowTask(
          {
            key: (bid: Bid) => bid.bidder,
            timestamp: ({ at }) => at,
            window: session(GAP_MS),
            init: () => 0,
            add: (count) => count + 1,
            merge: (one, other) => one + other,
            finish: (count, { key, start, end }) => ({ bidder: key, bids: count, start, end }),
          },
          { allowedLatenessMs: input.disorderMs },
        ),
      ),
  });

/** q12: the number of bids of each bidder in windows of the clock. */
export const q12 = (input: QueryInput) =>
  defineWorkflow({
    name: 'q12',
    build: (flow) =>
      withBids(input)(flow).task(
        'Result',
        ['Bids'],
        windowTask({
          key: (bid: Bid) => bid.bidder,
          window: tumbling(WINDOW_MS),
          init: () => 0,
          add: (count) => count + 1,
          finish: (count, { key, start }) => ({ bidder: key, bids: count, start }),
        }),
      ),
  });

/** All queries, by their names. */
export const QUERIES = { q0, q1, q2, q3, q4, q5, q6, q7, q8, q11, q12 } as const;
