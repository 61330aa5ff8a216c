/**
 * The entry module of a worker thread. It imports as little as possible, because imports delay the start of each
 * thread. It refuses to run on the main thread.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { loadWithoutRuns } from '../execution/thread-loading.js';
import { MillraceError } from '../model/errors.js';
import type { ThreadData } from './protocol.js';
import { ThreadSide } from './thread-side.js';

const data = workerData as Partial<ThreadData> | null;
if (isMainThread || parentPort === null || data?.millrace !== true) {
  throw new MillraceError(
    'MILLRACE_USAGE',
    'This module is the entry of millrace’s worker threads and cannot run by itself. Use cpuTask or workerOperator',
  );
}
loadWithoutRuns();
const side = new ThreadSide(parentPort, data.progress as Int32Array);
parentPort.on('message', side.receive);
side.post({ type: 'ready' });
