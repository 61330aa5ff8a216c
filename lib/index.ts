/** The main entry point, for the authors of workflows. Importing it opens no thread, socket or file. */
export { defineWorkflow, Workflow } from './runtime/definition/workflow.js';
export { subWorkflow, type Reusable, type SubWorkflowOptions } from './runtime/definition/sub-workflow.js';
export type { PreparedWorkflow, PrepareOptions, TaskDurability } from './runtime/definition/prepared-workflow.js';
export type { RunOptions } from './runtime/definition/run-options.js';
export type { BuildContext, ListedDefinition, WorkflowDefinition } from './runtime/definition/workflow-definition.js';
export type { Run } from './runtime/run/run.js';
export type { Carrier } from './runtime/run/carrier.js';
export { RunFailedError } from './runtime/run/run.js';
export { combine, stream, type RecordStream } from './runtime/definition/record-stream.js';
export type { CronSchedule, IntervalSchedule, OneTimeSchedule, Schedule, ScheduleRules } from './model/schedule.js';
export type { ServingRules } from './model/serving.js';
export type { FileTrigger, Trigger, TriggerRules, WebhookTrigger, WorkflowTrigger } from './model/trigger.js';
export type { ResourcePeaks, RunSummary, TaskSummary, WholeSummary } from './model/run-summary.js';

export { BaseTask, type FoundRecord, type NoOutputs, type Task, type TaskBound } from './tasks/task.js';
export { RecordTask } from './tasks/record-task.js';
export type {
  ConcurrentOptions,
  DurableOptions,
  FailurePolicy,
  RememberingOptions,
  TaskOptions,
} from './tasks/task-options.js';
export { SourceTask, sourceTask } from './tasks/source-task.js';
export type { NoInput, SourceOf, SourceOptions, SourcePosition } from './tasks/source-task.js';
export { repartition } from './tasks/repartition.js';
export { branch, type BranchFunction, type BranchOptions } from './tasks/branch.js';
export { syncTask, type SyncFunction, type SyncOptions } from './tasks/sync-task.js';
export { asyncTask, type AsyncFunction, type AsyncOptions } from './tasks/async-task.js';
export { cpuTask, type CpuFunction, type CpuOptions, type ModuleFunction } from './tasks/cpu-task.js';
export { aggregateTask, type Aggregate, type AggregateOptions } from './tasks/aggregate-task.js';
export { expandTask, type ExpandFunction, type ExpandOptions } from './tasks/expand-task.js';
export { statefulTask, type Stateful, type StatefulOptions } from './tasks/stateful-task.js';
export {
  operatorTask,
  type OperatorContext,
  type OperatorOptions,
  type RecordOperator,
} from './tasks/operator-task.js';
export { sinkTask, type SinkFunction, type SinkOptions, type SinkWriter } from './tasks/sink-task.js';
export type {
  AlignedOptions,
  AllOptions,
  Flow,
  GatherOptions,
  JoinOptions,
  KeyedJoinOptions,
  EndsOf,
  MergeOptions,
  RuleOptions,
  TaskDeclaration,
} from './tasks/flow.js';

export {
  threadAggregate,
  threadFactory,
  threadFunction,
  threadSchema,
  threadStateful,
  type Threadable,
  type ThreadFunctionOptions,
  type ThreadStateful,
} from './execution/thread-function.js';
export type { ThreadContext } from './execution/thread-context.js';
export type { Executor, ModuleRef, ThreadLimits } from './execution/executor.js';
export type { ExecutorStats, ThreadStats } from './model/thread-stats.js';
export { workerOperator, type WorkerOperator, type WorkerOperatorOptions } from './workers/worker-operator.js';
export { partitionOf } from './execution/partition-key.js';
export type { ThreadCount } from './runtime/run/run-executor.js';
export { skip, type FailedRecord, type Skip } from './model/record.js';
export { ERROR_CODES, MillraceError, type ErrorCode } from './model/errors.js';
export type { MemoCounts, MemoOptions, MemoStore, TaskMemo } from './model/memo.js';
export type { TaskCounts } from './model/metrics.js';
export type { RuleCondition, TaskEnd, TaskStatus } from './model/phases.js';
export type {
  CheckpointEvent,
  GraphTask,
  LifecycleEvent,
  MeasureEvent,
  RunEvent,
  Stall,
  TaskEvent,
  ThreadEvent,
  TroubleEvent,
} from './model/events.js';
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
} from './model/metrics.js';
export type {
  Clock,
  DeadLetter,
  DeadLetterStore,
  DurableLetters,
  LetterHead,
  LineageId,
  RecordContext,
  RunOutcome,
  TaskContext,
} from './model/ports.js';
export type { TaskPast, TaskScope } from './stream/task-scope.js';
export type { Schema } from './options/schema.js';
export type { TouchedFile } from './model/touched-file.js';
export type { OverflowPolicy } from './stream/outbox.js';
export { seededRandom } from './execution/random.js';
export { callPolicies, type CallPolicies, type CallPolicy } from './calls/policies/call-policies.js';
export {
  adaptiveConcurrency,
  type AdaptiveConcurrency,
  type AdaptiveConcurrencyOptions,
} from './calls/policies/adaptive-concurrency.js';
export { callTimeout, type CallTimeout, type TimeoutOptions } from './calls/policies/call-timeout.js';
export { circuitBreaker, type CircuitBreaker, type CircuitBreakerOptions } from './calls/policies/circuit-breaker.js';
export { fairBy, type Fairness } from './calls/policies/fairness.js';
export { hedgePolicy, type HedgeOptions, type HedgePolicy } from './calls/policies/hedge-policy.js';
export { rateLimit, type RateLimit, type RateLimitOptions } from './calls/policies/rate-limit.js';
export { retryPolicy, type RetryOptions, type RetryPolicy } from './calls/policies/retry-policy.js';
export { sharedLimiter, type SharedLimiter, type SharedLimiterOptions } from './calls/policies/shared-limiter.js';
export type { Upstream, UpstreamCall, UpstreamReply } from './model/upstream.js';
export { UpstreamError, type Blame } from './model/upstream-error.js';
export type { CallCounts, CallEvent, CallsSummary, CircuitState } from './model/call-event.js';
export type { Checkpoint, CheckpointStore, Json, RootProgress, RunDefinition } from './model/checkpoint.js';
export type { Durability, StateChange, StateEntries, StateStore } from './model/state.js';
export type { CheckpointSchedule } from './runtime/resume/checkpointer.js';
