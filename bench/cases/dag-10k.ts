/**
 * The cost of a task in a wide and deep graph that does nothing else, with definition and planning, beside p-graph and
 * bare promises.
 */
import type { BenchCase } from '../case.js';
import { compare, findingOf, roundsOf } from '../harness.js';
import type { Sample } from '../side-process.js';
import type { SideName } from '../sides.js';
import { median } from '../statistics.js';

export const dag10k: BenchCase = {
  name: 'dag-10k',
  description: 'CPU per task of a graph of 10,000 tasks that do nothing, against bare promises',
  goal: { on: 'value', is: 'at most', than: 20, unit: 'µs' },
  run: async (settings) => {
    const tasks = settings.isQuick ? 1_000 : 10_000;
    const side = (name: SideName, title: string) => ({ side: name, title, records: tasks, warmUpRecords: tasks / 10 });
    const ours = side('dag-millrace', 'millrace');
    const rounds = roundsOf(settings);
    const plain = await compare(
      { ours, theirs: side('dag-promises', 'bare promises'), rounds, isFresh: true },
      settings,
    );
    const graph = await compare({ ours, theirs: side('dag-p-graph', 'p-graph'), rounds, isFresh: true }, settings);
    const perTask = (samples: readonly Sample[]): number[] => samples.map(({ cpuMs }) => (cpuMs / tasks) * 1000);
    const own = [...plain.ours, ...graph.ours];
    const peakMib = median(own.map(({ maxRssKb }) => maxRssKb / 1024));
    return findingOf(perTask(own), perTask(plain.theirs), {
      unit: 'µs',
      against: 'bare promises',
      note: `p-graph: ${median(perTask(graph.theirs)).toFixed(1)} µs; peak memory of ours: ${peakMib.toFixed(0)} MiB`,
    });
  },
};
