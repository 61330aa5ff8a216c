/**
 * The entry point `millrace/lanes`: a workflow spread over several processes by Kafka. The client of Kafka is loaded by
 * the first call that connects, not by the import.
 */
export { createRun, deleteRun, stagesOf, type SpreadOptions } from './cluster-run.js';
export { startWorker, Worker, type WorkerEnd, type WorkerEvent, type WorkerOptions } from './worker.js';
export { beginReplay, type ReplayStart } from './replay.js';
export { kafkaCarrier, type KafkaCarrierOptions } from './kafka-carrier.js';
export { abortTransactions, lagOf, openTransactions, type StageLag } from './lag.js';
export type { Edge, Stage, StagePlan } from './stages.js';
export type { SpreadWorkflow } from './stage-workflow.js';
export type { LaneName } from './lane.js';
