/** The offer graph with p-map: an async iterable with a bound on the calls in flight. */
import { pMapIterable } from 'p-map';
import type { SideRun } from '../side-run.js';
import { CONCURRENCY, members, offerFor, Tally, transform } from '../offer-graph.js';

export const run: SideRun = async (records) => {
  const tally = new Tally();
  const outcomes = pMapIterable(members(records), (member) => offerFor(transform(member)), {
    concurrency: CONCURRENCY,
  });
  for await (const outcome of outcomes) tally.add(...outcome);
  return tally.checksum;
};
