/** The authoring door. Importing it opens no thread, socket or file. */
export { defineWorkflow, Workflow } from './runtime/workflow.js';
export type { RunOptions } from './runtime/run-options.js';
export type { BuildContext, ListedDefinition, WorkflowDefinition } from './runtime/workflow-definition.js';
export type { Run } from './runtime/run.js';
export { RunFailedError } from './runtime/run-failed-error.js';
export { combine, stream, type RecordStream } from './runtime/record-stream.js';
export type { ResourcePeaks, RunSummary, TaskSummary } from './core/run-summary.js';

export { Task } from './tasks/task.js';
export type { FoundRecord } from './tasks/task.js';
export type { ConcurrentOptions, FailurePolicy, TaskOptions } from './tasks/task-options.js';
export { SourceTask, sourceTask } from './tasks/source-task.js';
export type { NoInput, SourceOf, SourceOptions, SourcePosition } from './tasks/source-task.js';
export { syncTask, type SyncFunction } from './tasks/sync-task.js';
export { asyncTask, type AsyncFunction, type AsyncOptions } from './tasks/async-task.js';
export { cpuTask, type CpuFunction, type CpuOptions, type ModuleFunction } from './tasks/cpu-task.js';
export { aggregateTask, type Aggregate, type AggregateOptions } from './tasks/aggregate-task.js';
export { expandTask, type ExpandFunction } from './tasks/expand-task.js';
export {
  operatorTask,
  type OperatorContext,
  type OperatorOptions,
  type RecordOperator,
} from './tasks/operator-task.js';
export { sinkTask, type SinkFunction, type SinkOptions, type SinkWriter } from './tasks/sink-task.js';
export type { AllOptions, Flow, GatherOptions, JoinOptions, KeyedJoinOptions, TaskDeclaration } from './tasks/flow.js';

export {
  threadAggregate,
  threadFactory,
  threadFunction,
  threadSchema,
  type Threadable,
  type ThreadFunctionOptions,
} from './core/thread-function.js';
export type { ThreadContext } from './core/loaded-job.js';
export type { Executor, ExecutorStats, ModuleRef, ThreadLimits, ThreadStats } from './core/executor.js';
export { workerOperator, type WorkerOperator, type WorkerOperatorOptions } from './workers/worker-operator.js';
export { partitionOf } from './core/partition-hash.js';
export type { ThreadCount } from './runtime/run-executor.js';
export { skip, type Skip } from './core/record.js';
export { ERROR_CODES, MillraceError, type ErrorCode } from './core/errors.js';
export type { TaskCounts } from './core/account.js';
export type {
  CheckpointEvent,
  GraphTask,
  LifeEvent,
  MeasureEvent,
  RunEvent,
  Stall,
  TaskEvent,
  ThreadEvent,
  TroubleEvent,
} from './core/events.js';
export type {
  Bottleneck,
  EdgeProgress,
  LatencyFigures,
  LatencyProgress,
  ResourceFigures,
  RootFigures,
  SlowRecord,
  TaskProgress,
  TimeShares,
} from './core/metrics.js';
export type {
  Clock,
  DeadLetter,
  DeadLetterStore,
  DurableLetters,
  LetterHead,
  RecordContext,
  RunOutcome,
  TaskContext,
  TaskPast,
  TaskScope,
} from './core/ports.js';
export type { Schema } from './core/schema.js';
export type { TouchedFile } from './core/touched-file.js';
export type { OverflowPolicy } from './stream/outbox.js';
export { seededRandom } from './core/random.js';
export { csvSource, type CsvFields, type CsvSourceOptions } from './connectors/csv-source.js';
export { csvSink, type CsvSinkOptions, type CsvValue } from './connectors/csv-sink.js';
export { requestTask, type RequestOptions, type RequestTask } from './connectors/request-task.js';
export type { BatchOptions } from './connectors/request-options.js';
export type { ItemError } from './connectors/http/batch-answer.js';
export { undiciAdapter, type UndiciAdapter, type UndiciAdapterOptions } from './connectors/http/undici-adapter.js';
export type { IncomingReply, OutgoingCall, RemoteError, WebSocketCodec } from './connectors/websocket/codec.js';
export type { WebSocketOptions } from './connectors/websocket/web-socket-options.js';
export { callPolicies, type CallPolicies, type CallPolicy } from './stream/call-policies.js';
export {
  adaptiveConcurrency,
  type AdaptiveConcurrency,
  type AdaptiveConcurrencyOptions,
} from './stream/adaptive-concurrency.js';
export { callTimeout, type CallTimeout, type TimeoutOptions } from './stream/call-timeout.js';
export { circuitBreaker, type CircuitBreaker, type CircuitBreakerOptions } from './stream/circuit-breaker.js';
export { fairBy, type Fairness } from './stream/fairness.js';
export { hedgePolicy, type HedgeOptions, type HedgePolicy } from './stream/hedge-policy.js';
export { rateLimit, type RateLimit, type RateLimitOptions } from './stream/rate-limit.js';
export { retryPolicy, type RetryOptions, type RetryPolicy } from './stream/retry-policy.js';
export { sharedLimiter, type SharedLimiter, type SharedLimiterOptions } from './stream/shared-limiter.js';
export type { Upstream, UpstreamCall, UpstreamReply } from './core/upstream.js';
export { UpstreamError, type Blame } from './core/upstream-error.js';
export type { CallCounts, CallEvent, CallsSummary, CircuitState } from './core/call-event.js';
export { checkpointFile, type CheckpointFileOptions } from './storage/checkpoint-file.js';
export type { Checkpoint, CheckpointStore, Json, RootProgress, RunDefinition } from './core/checkpoint.js';
export type { CheckpointSchedule } from './runtime/checkpointer.js';
export { writePerformanceSummary } from './telemetry/performance-summary.js';
export { reportOf } from './report/report.js';
export { openLineage, type LineageOptions } from './telemetry/send-lineage.js';
export { logEvents, type EventLogger } from './telemetry/log-events.js';
export { serveMetrics, type MetricsServer } from './telemetry/metrics-server.js';
export { eventFile, type EventFileOptions, type Recording } from './storage/event-file.js';
export { readEvents } from './storage/read-events.js';
export { deadLetterFile, type DeadLetterFileOptions } from './storage/dead-letter-file.js';
