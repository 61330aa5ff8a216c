/** A workflow file with chains of tasks behind one source, which emits until the run is cancelled. */

const LENGTH = 10;

/** The code of a workflow `Wide` of so many tasks, and of `Narrow` of a few, each record of which passes each task. */
export function wideFlow(tasks: number): string {
  return `
import { setTimeout as sleep } from 'node:timers/promises';
import { defineWorkflow, sourceTask, syncTask } from '${import.meta.resolve('#lib/index.js')}';
async function* numbers() { for (let n = 0; ; n++) { yield n; await sleep(100); } }
const flow = (name, count) => defineWorkflow({ name, tasks: () => [
  { name: 'Numbers', dependencies: [], task: sourceTask(numbers) },
  ...Array.from({ length: count }, (_, n) => ({
    name: 'Task ' + n, dependencies: [n % ${LENGTH} === 0 ? 'Numbers' : 'Task ' + (n - 1)], task: syncTask((one) => one),
  })),
] });
export const Wide = flow('Wide', ${tasks - 1});
export const Narrow = flow('Narrow', 2);
`;
}
