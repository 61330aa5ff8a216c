/**
 * A bare ping-pong: batches of the size of our bridge, one at a time, to a worker that does the same work and nothing
 * else. This file is also that worker.
 */
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import type { SideRun } from '../side-run.js';
import { echo, samples, type Sample } from '../thread-work.js';

const BATCH = 1024;

if (!isMainThread) {
  parentPort?.on('message', (batch: readonly Sample[]) => {
    const answers: Sample[] = [];
    for (const sample of batch) answers.push(echo(sample));
    parentPort?.postMessage(answers);
  });
}

export const run: SideRun = async (records) => {
  const worker = new Worker(new URL(import.meta.url));
  const source = samples(records);
  let checksum = 0;
  const next = (): Sample[] => {
    const batch: Sample[] = [];
    while (batch.length < BATCH) {
      const step = source.next();
      if (step.done === true) break;
      batch.push(step.value);
    }
    return batch;
  };
  await new Promise<void>((resolve, reject) => {
    worker.on('error', reject);
    worker.on('message', (answers: readonly Sample[]) => {
      for (const { value } of answers) checksum += value;
      const batch = next();
      if (batch.length === 0) resolve();
      else worker.postMessage(batch);
    });
    worker.postMessage(next());
  });
  await worker.terminate();
  return checksum;
};
