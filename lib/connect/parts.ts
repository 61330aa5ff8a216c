/**
 * The entry point `millrace/connect/parts`, for sources that threads read and fold in parts (`Source.foldParts`).
 * Threads load it, so it loads only the code that they need.
 */
export type { Collected, Executor, ItemReader, ModuleRef } from '../execution/executor.js';
export { loadChecked, loadExport, type AnyAggregate } from '../execution/load-export.js';
export { partitionOf } from '../execution/partition-key.js';
export { PartitionGroups } from '../execution/partition-groups.js';
export { homeOf } from '../execution/thread-function.js';
export { Groups } from '../tasks/groups.js';
export type {
  BadRecord,
  FoldedParts,
  FoldedResult,
  FoldedResults,
  FoldedStates,
  FoldProgress,
  FoldReport,
  FoldRequest,
} from '../tasks/source-parts.js';
