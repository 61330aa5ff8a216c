/** The same graph with bare promises: each task waits for those of its dependencies. */
import { dependenciesOf, Runs } from '../dag-graph.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (tasks) => {
  const runs = new Runs();
  const results: Promise<number>[] = [];
  for (let task = 0; task < tasks; task++) {
    const dependencies = dependenciesOf(task).map((number) => results[number] as Promise<number>);
    results.push(Promise.all(dependencies).then(runs.task));
  }
  await Promise.all(results);
  return runs.count;
};
