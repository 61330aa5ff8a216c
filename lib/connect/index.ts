/**
 * The entry point `millrace/connect`: everything that a connector needs, in this repository or in another one.
 *
 * Guarantees: importing it opens no thread, socket or file, and loads no connector.
 */
export { connectorSource, type ConnectorSourceOptions } from './connector-source.js';
export { connectorSink, type ConnectorSinkOptions } from './connector-sink.js';
export { taskOptionsOf } from './connector-options.js';
export type { ConnectorContext } from './context.js';
export { Semaphore } from './semaphore.js';
export { fieldsOfRow } from './fields-of-row.js';
export { UnseenColumns } from './unseen-columns.js';
export type { PartitionPast, PartitionProgress, Source, SourcePartition, SourcePast, SourceRead } from './source.js';
export type { Sink, StoredRows, SinkPast, SinkRows } from './sink.js';
export type { RefusedRow, WriteResult } from '../stream/write-batches.js';
export { SOURCE_RULES, SourceTask, type SourceOptions, type SourcePosition } from '../tasks/source-task.js';

export { BaseTask, type FoundRecord, type Task, type TaskBound } from '../tasks/task.js';
export { RecordTask } from '../tasks/record-task.js';
export {
  CONCURRENT_RULES,
  REMEMBERING_RULES,
  TASK_RULES,
  checkMemo,
  type ConcurrentOptions,
  type FailurePolicy,
  type RememberingOptions,
  type TaskOptions,
} from '../tasks/task-options.js';
export {
  checkInput,
  checkInputEventually,
  checkOutput,
  checkOutputEventually,
  contextOf,
} from '../tasks/record-step.js';

export {
  anObject,
  anything,
  callback,
  checkCount,
  checkFunction,
  checkObject,
  checkOptions,
  checkValues,
  count,
  either,
  flag,
  madeBy,
  names,
  oneOf,
  number,
  objectWith,
  standardSchema,
  text,
  words,
  type OptionRule,
  type OptionRules,
} from '../options/options.js';
export { refuseAsynchronous, validate, validateEventually, type Schema } from '../options/schema.js';

export {
  MillraceError,
  FatalTaskError,
  codeOf,
  describeThrown,
  describeValue,
  invalidOption,
  type ErrorCode,
} from '../model/errors.js';
export { UpstreamError, type Blame } from '../model/upstream-error.js';
export type { Upstream, UpstreamCall, UpstreamReply } from '../model/upstream.js';
export { holdClock, sleep, systemClock, type Clock } from '../model/clock.js';
export { Batch, BatchBuilder, GONE, Rejected, Skip, skip, type Gone, type Lineage } from '../model/record.js';
export type { MemoCounts, MemoOptions, MemoStore, TaskMemo } from '../model/memo.js';
export { recordText } from '../model/lineage-id.js';
export type { Json } from '../model/checkpoint.js';
export type { Dataset } from '../model/events.js';
export type { Awaitable, LineageId, RecordContext, RunOutcome, TaskContext } from '../model/ports.js';
export { Waiter, isPromiseLike } from '../model/awaitable.js';
export { partitionOf } from '../execution/partition-key.js';
export { referTo } from '../execution/thread-function.js';
export type { ModuleRef } from '../execution/executor.js';
export type { Aggregate } from '../tasks/aggregate.js';
export type { TouchedFile } from '../model/touched-file.js';
export type { Failure, TaskPast, TaskScope } from '../stream/task-scope.js';
