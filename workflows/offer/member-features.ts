/** Transform: the features of every member. Apart from the aggregate itself, which threads load without the engine. */
import { aggregateTask, type Task } from 'millrace';
import { memberAggregate, threadedMemberAggregate, type MemberFeatures, type Transaction } from './features.js';

/**
 * @param asOf the moment the days are counted to, in milliseconds since 1970.
 * @param isInThreads whether the rows are folded in threads, which pays for large files.
 */
export function memberFeatures(options: {
  readonly asOf: number;
  readonly isInThreads?: boolean;
}): Task<Transaction, MemberFeatures> {
  const { asOf, isInThreads = false } = options;
  return aggregateTask(isInThreads ? threadedMemberAggregate(asOf) : memberAggregate(asOf));
}
