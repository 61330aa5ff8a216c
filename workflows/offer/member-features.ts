/**
 * The task Transform: the features of each member. A separate file, so that threads load the aggregate without the
 * engine.
 */
import { aggregateTask, type Task } from 'millrace';
import { memberAggregate, threadedMemberAggregate, type MemberFeatures, type Transaction } from './features.js';

/**
 * @param asOf the moment up to which days are counted, in milliseconds since 1970.
 * @param isInThreads true to fold the rows in threads, which is faster for large files.
 */
export function memberFeatures(options: {
  readonly asOf: number;
  readonly isInThreads?: boolean;
}): Task<Transaction, MemberFeatures> {
  const { asOf, isInThreads = false } = options;
  return aggregateTask(isInThreads ? threadedMemberAggregate(asOf) : memberAggregate(asOf));
}
