/** A module that starts a run wherever it is loaded, as the script of a program does. Only threads should load it. */
import { isMainThread } from 'node:worker_threads';
import { of } from 'rxjs';
import { cpuTask, defineWorkflow, sourceTask, threadFactory, threadFunction, workerOperator } from 'millrace';

export const triple = threadFunction(import.meta.url, 'triple', (n: number): number => 3 * n);
export const times = threadFactory(
  import.meta.url,
  'times',
  (factor: number) =>
    (n: number): number =>
      factor * n,
);

if (!isMainThread) {
  const flow = defineWorkflow({
    name: 'Itself',
    build: (build) => build.task('S', sourceTask([1, 2, 3])).task('T', ['S'], cpuTask(triple)),
  });
  of(1, 2)
    .pipe(workerOperator(triple))
    .subscribe(() => process.exit(5));
  await flow.run().finished.finally(() => process.exit(6));
}

export const tooLate = threadFunction(import.meta.url, 'tooLate', (n: number): number => n);
