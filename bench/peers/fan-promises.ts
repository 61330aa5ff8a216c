/** The same fan with plain promises: per record, all 2,000 functions at once. */
import { Calls, FAN_WIDTH } from '../fan-graph.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => {
  const calls = new Calls();
  for (let record = 0; record < records; record++) {
    const all: Promise<number>[] = [];
    for (let task = 0; task < FAN_WIDTH; task++) all.push(calls.task(record));
    await Promise.all(all);
  }
  return calls.count;
};
