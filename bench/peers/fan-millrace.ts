/** Our side of the fan: one source and 2,000 asyncTasks. The definition and the planning count too. */
import { asyncTask, sourceTask, Workflow, type TaskDeclaration } from 'millrace';
import { Calls, FAN_WIDTH } from '../fan-graph.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => {
  const calls = new Calls();
  const workflow = new Workflow({
    name: 'Fan',
    tasks: () => [
      { name: 'Start', dependencies: [], task: sourceTask(Array.from({ length: records }, (_, number) => number)) },
      ...Array.from({ length: FAN_WIDTH }, (_, number): TaskDeclaration => ({
        name: `Task ${number}`,
        dependencies: ['Start'],
        task: asyncTask(calls.task),
      })),
    ],
  });
  await workflow.run().finished;
  return calls.count;
};
