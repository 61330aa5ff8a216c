/** A module with a `main` that starts a run a moment after the module was loaded, and exits when the run fails. */
import { isMainThread } from 'node:worker_threads';
import { cpuTask, defineWorkflow, sourceTask, threadFunction } from 'millrace';

export const negate = threadFunction(import.meta.url, 'negate', (n: number): number => -n);

async function main(): Promise<void> {
  await Promise.resolve();
  const flow = defineWorkflow({
    name: 'Later',
    build: (build) => build.task('S', sourceTask([1, 2, 3])).task('T', ['S'], cpuTask(negate)),
  });
  await flow.run().finished;
  process.exit(7);
}
if (!isMainThread) main().catch(() => process.exit(8));
