/** Limits of a thread, in the words of millrace and in those of Node. Buffers are outside of all of them. */
import type { ResourceLimits } from 'node:worker_threads';
import type { ThreadLimits } from '../execution/executor.js';

export function resourceLimitsOf({ heapMb, youngHeapMb, codeMb, stackMb }: ThreadLimits): ResourceLimits {
  return {
    ...(heapMb === undefined ? {} : { maxOldGenerationSizeMb: heapMb }),
    ...(youngHeapMb === undefined ? {} : { maxYoungGenerationSizeMb: youngHeapMb }),
    ...(codeMb === undefined ? {} : { codeRangeSizeMb: codeMb }),
    ...(stackMb === undefined ? {} : { stackSizeMb: stackMb }),
  };
}
