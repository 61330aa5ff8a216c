/** The Nexmark queries over all events at once, as plainly as possible, to compare the workflows with. */
import type { Auction, Bid, NexmarkEvent, Person } from '../../examples/nexmark/events.js';
import {
  CATEGORY,
  GAP_MS,
  HOT,
  LAST_SALES,
  RATE,
  SELECTED,
  STATES,
  WINDOW_MS,
  type QUERIES,
} from '../../examples/nexmark/queries.js';

type Batch = (events: readonly NexmarkEvent[]) => unknown[];

const bidsOf = (events: readonly NexmarkEvent[]): Bid[] => events.filter((event) => event.kind === 'bid');
const auctionsOf = (events: readonly NexmarkEvent[]): Auction[] => events.filter((event) => event.kind === 'auction');
const peopleOf = (events: readonly NexmarkEvent[]): Person[] => events.filter((event) => event.kind === 'person');
const startOf = (at: number): number => at - (at % WINDOW_MS);
const mean = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

function groups<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const all = new Map<Key, Item[]>();
  for (const item of items) all.set(keyOf(item), [...(all.get(keyOf(item)) ?? []), item]);
  return all;
}

function salesOf(events: readonly NexmarkEvent[]): (Auction & { readonly price: number })[] {
  const bids = groups(bidsOf(events), ({ auction }) => auction);
  return auctionsOf(events).flatMap((auction) => {
    const inTime = (bids.get(auction.id) ?? []).filter(({ at }) => auction.at <= at && at <= auction.expires);
    return inTime.length === 0 ? [] : [{ ...auction, price: Math.max(...inTime.map(({ price }) => price)) }];
  });
}

const q5: Batch = (events) => {
  const bids = bidsOf(events);
  const ends = new Set<number>();
  for (const { at } of bids) {
    const first = at - (at % HOT.everyMs) + HOT.everyMs;
    for (let end = first; end - HOT.sizeMs <= at; end += HOT.everyMs) ends.add(end);
  }
  return [...ends].flatMap((end) => {
    const within = bids.filter(({ at }) => end - HOT.sizeMs <= at && at < end);
    const heats = [...groups(within, ({ auction }) => auction)].map(([auction, { length }]) => ({
      auction,
      bids: length,
      end,
    }));
    const most = Math.max(...heats.map(({ bids }) => bids));
    return heats.filter(({ bids }) => bids === most);
  });
};

const q11: Batch = (events) =>
  [...groups(bidsOf(events), ({ bidder }) => bidder)].flatMap(([bidder, bids]) => {
    const sessions: { bidder: number; bids: number; start: number; end: number }[] = [];
    for (const { at } of bids.sort((a, b) => a.at - b.at)) {
      const last = sessions.at(-1);
      if (last === undefined || at >= last.end) sessions.push({ bidder, bids: 1, start: at, end: at + GAP_MS });
      else {
        last.bids++;
        last.end = at + GAP_MS;
      }
    }
    return sessions;
  });

/** q12 depends on the clock: its batch is over the times at which bids have arrived. */
export function perArrival(bids: readonly (readonly [bid: Bid, arrivedAt: number])[]): unknown[] {
  return [...groups(bids, ([{ bidder }, at]) => `${bidder} ${startOf(at)}`).values()].map((group) => {
    const [{ bidder }, at] = group[0] as (typeof group)[number];
    return { bidder, bids: group.length, start: startOf(at) };
  });
}

export const BATCHES: Readonly<Record<Exclude<keyof typeof QUERIES, 'q12'>, Batch>> = {
  q0: (events) => [...events],
  q1: (events) => bidsOf(events).map((bid) => ({ ...bid, price: bid.price * RATE })),
  q2: (events) =>
    bidsOf(events)
      .filter(({ auction }) => auction % SELECTED === 0)
      .map(({ auction, price }) => ({ auction, price })),
  q3: (events) =>
    auctionsOf(events)
      .filter(({ category }) => category === CATEGORY)
      .flatMap(({ id, seller }) =>
        peopleOf(events)
          .filter((person) => person.id === seller && STATES.includes(person.state))
          .map(({ name, city, state }) => ({ name, city, state, auction: id })),
      ),
  q4: (events) =>
    [...groups(salesOf(events), ({ category }) => category)].map(([category, sales]) => ({
      category,
      average: mean(sales.map(({ price }) => price)),
    })),
  q5,
  q6: (events) =>
    [...groups(salesOf(events), ({ seller }) => seller)].map(([seller, sales]) => {
      const last = sales.sort((a, b) => b.expires - a.expires || b.id - a.id).slice(0, LAST_SALES);
      return { seller, average: mean(last.map(({ price }) => price)) };
    }),
  q7: (events) =>
    [...groups(bidsOf(events), ({ at }) => startOf(at)).values()].flatMap((bids) => {
      const most = Math.max(...bids.map(({ price }) => price));
      return bids.filter(({ price }) => price === most);
    }),
  q8: (events) =>
    peopleOf(events)
      .filter(({ id, at }) => auctionsOf(events).some((one) => one.seller === id && startOf(one.at) === startOf(at)))
      .map(({ id, name, at }) => ({ id, name, start: startOf(at) })),
  q11,
};
