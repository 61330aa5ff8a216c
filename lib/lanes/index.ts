/**
 * The door `millrace/lanes`: a workflow spread over several processes by Kafka. Importing it loads no client; the first
 * call that connects does.
 */
export {
  createRun,
  deleteRun,
  stagesOf,
  startWorker,
  Worker,
  type SpreadOptions,
  type WorkerEnd,
  type WorkerEvent,
  type WorkerOptions,
} from './worker.js';
export { kafkaCarrier, type KafkaCarrierOptions } from './kafka-carrier.js';
export { abortTransactions, lagOf, openTransactions, type StageLag } from './lag.js';
export type { Edge, Stage, StagePlan } from './stages.js';
export type { SpreadWorkflow } from './stage-workflow.js';
export type { LaneName } from './lane.js';
