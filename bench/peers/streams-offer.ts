/** The offer graph in the streams of Node: the stream helper `map` with its option `concurrency`. */
import { Readable } from 'node:stream';
import type { SideRun } from '../side-run.js';
import { CONCURRENCY, members, offerFor, Tally, transform, type Outcome } from '../offer-graph.js';

export const run: SideRun = async (records) => {
  const tally = new Tally();
  await Readable.from(members(records), { highWaterMark: CONCURRENCY })
    .map(transform)
    .map(offerFor, { concurrency: CONCURRENCY })
    .forEach((outcome: Outcome) => {
      tally.add(...outcome);
    });
  return tally.checksum;
};
