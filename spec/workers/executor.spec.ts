/** Both executors keep one contract. */
import { InlineExecutor } from '#lib/execution/inline-executor.js';
import { ThreadExecutor } from '#lib/workers/thread-executor.js';
import { executorContract } from '../contracts/executor.contract.js';

executorContract('the inline executor', () => new InlineExecutor({ isLong: () => false, defer: setImmediate }));
executorContract('the thread executor', () => new ThreadExecutor({ threads: 2 }));
