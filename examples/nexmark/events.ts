/**
 * The events of an auction house, after the Nexmark benchmark (Tucker and others, 2002): people, auctions and bids, in
 * the proportions 1 : 3 : 46.
 *
 * Guarantees: a seed gives the same events; no event is older than the newest one before it by more than `disorderMs`.
 */
import { seededRandom } from 'millrace';

export interface Person {
  readonly kind: 'person';
  readonly id: number;
  readonly name: string;
  readonly city: string;
  readonly state: string;
  /** Milliseconds since 1970, as all times here. */
  readonly at: number;
}

export interface Auction {
  readonly kind: 'auction';
  readonly id: number;
  readonly item: string;
  readonly seller: number;
  readonly category: number;
  readonly at: number;
  readonly expires: number;
}

export interface Bid {
  readonly kind: 'bid';
  readonly id: number;
  readonly auction: number;
  readonly bidder: number;
  /** In dollars. */
  readonly price: number;
  readonly at: number;
}

export type NexmarkEvent = Person | Auction | Bid;

export interface NexmarkOptions {
  readonly seed: number;
  /** The number of events. */
  readonly count: number;
  /** The mean time from one event to the next, in milliseconds. */
  readonly everyMs: number;
  readonly disorderMs: number;
}

const STATES = ['AZ', 'CA', 'ID', 'OR', 'WA', 'WY'] as const;
const CITIES = ['Phoenix', 'Los Angeles', 'Boise', 'Portland', 'Seattle', 'Cheyenne'] as const;
const NAMES = ['Peter', 'Paul', 'Luke', 'Walter', 'Vicky', 'Kate', 'Julie', 'Deiter'] as const;
const CATEGORIES = [10, 11, 12, 13, 14] as const;
const START = Date.parse('2026-01-01T00:00:00Z');
/** Half of the bids go to the newest auctions, as in the benchmark. */
const HOT_AUCTIONS = 4;
const AUCTION_MS = 20_000;

export function nexmarkEvents({ seed, count, everyMs, disorderMs }: NexmarkOptions): NexmarkEvent[] {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;
  let people = 0;
  let auctions = 0;
  let now = START;
  const arrivals: { readonly event: NexmarkEvent; readonly arrivesAt: number }[] = [];
  for (let index = 0; index < count; index++) {
    now += below(everyMs * 2 + 1);
    const turn = index % 50;
    const event = ((): NexmarkEvent => {
      if (turn === 0) {
        const place = below(STATES.length);
        const [city, state] = [CITIES[place] as string, STATES[place] as string];
        return { kind: 'person', id: people++, name: pick(NAMES), city, state, at: now };
      }
      if (turn <= 3) {
        const id = auctions++;
        const [seller, category] = [Math.max(0, people - 1 - below(10)), pick(CATEGORIES)];
        const expires = now + 1 + below(AUCTION_MS);
        return { kind: 'auction', id, item: `item ${id}`, seller, category, at: now, expires };
      }
      const newest = Math.max(0, auctions - 1);
      const auction = Math.max(0, newest - below(random() < 0.5 ? HOT_AUCTIONS : 100));
      return { kind: 'bid', id: index, auction, bidder: below(people), price: 1 + below(10_000), at: now };
    })();
    arrivals.push({ event, arrivesAt: now + random() * disorderMs });
  }
  return arrivals.sort((a, b) => a.arrivesAt - b.arrivesAt).map(({ event }) => event);
}
