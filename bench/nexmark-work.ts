/** Nexmark queries over events in memory, as workflows and as plain loops over the same events. */
import { nexmarkEvents, type NexmarkEvent } from '../examples/nexmark/events.js';
import { HOT, QUERIES, WINDOW_MS } from '../examples/nexmark/queries.js';

const DISORDER_MS = 500;

/** The events by their number, made in the untimed run before the samples. */
const made = new Map<number, readonly NexmarkEvent[]>();

function eventsOf(count: number): readonly NexmarkEvent[] {
  const events = made.get(count) ?? nexmarkEvents({ seed: 1, count, everyMs: 2, disorderMs: DISORDER_MS });
  made.set(count, events);
  return events;
}

/** Runs a query as a workflow. Resolves with the number of its results. */
export async function runQuery(name: 'q5' | 'q8', count: number): Promise<number> {
  const events = eventsOf(count);
  const run = QUERIES[name]({ events: () => events, disorderMs: DISORDER_MS }).run();
  const { tasks } = await run.finished;
  return tasks['Result']?.out ?? 0;
}

/** q5 as a loop that keeps all windows until the end. */
export function loopQ5(count: number): number {
  const windows = new Map<number, Map<number, number>>();
  for (const event of eventsOf(count)) {
    if (event.kind !== 'bid') continue;
    const last = event.at - (event.at % HOT.everyMs);
    for (let start = last; start > event.at - HOT.sizeMs; start -= HOT.everyMs) {
      const bids = windows.get(start) ?? new Map<number, number>();
      windows.set(start, bids.set(event.auction, (bids.get(event.auction) ?? 0) + 1));
    }
  }
  let results = 0;
  for (const bids of windows.values()) {
    const most = Math.max(...bids.values());
    for (const one of bids.values()) if (one === most) results++;
  }
  return results;
}

/** q8 as a loop. */
export function loopQ8(count: number): number {
  const sellers = new Set<string>();
  for (const event of eventsOf(count)) {
    if (event.kind === 'auction') sellers.add(`${event.seller} ${event.at - (event.at % WINDOW_MS)}`);
  }
  let results = 0;
  for (const event of eventsOf(count)) {
    if (event.kind === 'person' && sellers.has(`${event.id} ${event.at - (event.at % WINDOW_MS)}`)) results++;
  }
  return results;
}
