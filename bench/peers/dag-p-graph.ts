/** The same graph with p-graph. */
import { PGraph } from 'p-graph';
import { dependenciesOf, Runs } from '../dag-graph.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (tasks) => {
  const runs = new Runs();
  const numbers = Array.from({ length: tasks }, (_, task) => task);
  const nodes = new Map(numbers.map((task) => [String(task), { run: runs.task }]));
  const edges = numbers.flatMap((task) =>
    dependenciesOf(task).map((from): [string, string] => [String(from), String(task)]),
  );
  await new PGraph(nodes, edges).run();
  return runs.count;
};
