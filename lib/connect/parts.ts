/**
 * Shared code of connectors whose sources are read and folded in parts by threads. Threads load this file, so it loads
 * only the code that they need.
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
