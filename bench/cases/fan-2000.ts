/** The cost of many tasks side by side, beyond twice the time of plain promises. */
import type { BenchCase } from '../case.js';
import { FAN_WIDTH } from '../fan-graph.js';
import { compare, findingOf, roundsOf } from '../harness.js';

export const fan2000: BenchCase = {
  name: 'fan-2000',
  description: 'Seconds that 2,000 asyncTasks side by side take beyond twice the time of plain promises',
  goal: { on: 'value', is: 'at most', than: 1, unit: 's' },
  run: async (settings) => {
    const records = settings.isQuick ? 10 : 50;
    const { ours, theirs } = await compare(
      {
        ours: { side: 'fan-millrace', title: 'millrace', records, warmUpRecords: 2 },
        theirs: { side: 'fan-promises', title: 'plain promises', records, warmUpRecords: 2 },
        rounds: roundsOf(settings),
      },
      settings,
    );
    const beyond = ours.map(({ elapsedMs }, round) => (elapsedMs - 2 * (theirs[round]?.elapsedMs ?? 0)) / 1000);
    return findingOf(
      beyond,
      theirs.map(({ elapsedMs }) => elapsedMs / 1000),
      { unit: 's', against: 'plain promises', note: `${records} records, each to ${FAN_WIDTH} tasks` },
    );
  },
};
