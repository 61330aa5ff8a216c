/** A module that ends whatever thread loads it. */
import { isMainThread } from 'node:worker_threads';

if (!isMainThread) process.exit(0);
export const never = (): never => {
  throw new Error('never');
};
