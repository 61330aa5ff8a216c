/**
 * Our side of the wide and deep graph: one record flows through all of its tasks. The definition and the planning count
 * too.
 */
import { asyncTask, sourceTask, Workflow, type TaskDeclaration } from 'millrace';
import { dependenciesOf, Runs } from '../dag-graph.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (tasks) => {
  const runs = new Runs();
  const workflow = new Workflow({
    name: 'Graph',
    tasks: () => [
      { name: 'Start', dependencies: [], task: sourceTask([0]) },
      ...Array.from({ length: tasks }, (_, task): TaskDeclaration => {
        const dependencies = dependenciesOf(task).map((number) => `Task ${number}`);
        return {
          name: `Task ${task}`,
          dependencies: dependencies.length === 0 ? ['Start'] : dependencies,
          task: asyncTask(runs.task),
        };
      }),
    ],
  });
  await workflow.run().finished;
  return runs.count;
};
