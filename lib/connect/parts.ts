/**
 * What connectors share whose sources are read in parts by threads, and folded there. Threads load this file: it loads nothing
 * but what they need.
 */
export type { Collected, Executor, ItemReader, ModuleRef } from '../execution/executor.js';
export { loadChecked, loadExport, type AnyAggregate } from '../execution/load-export.js';
export { partitionOf } from '../execution/partition-hash.js';
export { PartitionGroups } from '../execution/partition-groups.js';
export { homeOf } from '../execution/thread-function.js';
export { Groups } from '../tasks/groups.js';
export type {
  BadRecord,
  FoldedParts,
  FoldedResult,
  FoldProgress,
  FoldReport,
  FoldRequest,
} from '../tasks/source-parts.js';
