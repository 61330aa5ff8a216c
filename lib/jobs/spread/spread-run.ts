/**
 * A run whose records Kafka carries between processes: its options, its workers on this machine, and its folder.
 *
 * Guarantees: a workflow that cannot be spread is refused before anything is written.
 */
import { carrierWith, crewOfOne, type StartCrew } from '../../lanes/internal.js';
import { stagesOf, type SpreadOptions, type WorkerOptions } from '../../lanes/index.js';
import type { ReadyRun } from '../kept-run.js';
import type { LoadedJob } from '../load-job.js';
import type { JobPlace } from '../place.js';
import { prepareCarriedRun } from './carried-run.js';
import { clusterFrom } from './kafka-cluster.js';
import { WorkerProcesses, type WorkerCommand } from './worker-processes.js';

/** The request for a spread run. Each worker of the run has the same one. */
export interface SpreadRequest {
  /** The brokers, or the path of a JSON file with the options of the cluster. */
  readonly kafka: string;
  readonly runId: string;
  /** The partitions of each topic that divides records by a key; undefined for the default. */
  readonly partitions: number | undefined;
}

/** A spread run that this machine follows. */
export interface SpreadRun {
  /** The folder of runs; undefined for a run that keeps nothing on this machine. */
  readonly runs: string | undefined;
  /** The processes that work on this machine; undefined for one worker in this process. */
  readonly processes: { readonly command: WorkerCommand; readonly count: number } | undefined;
  /** The options of a worker in this process. */
  readonly worker: Pick<WorkerOptions, 'stallMs'>;
}

/**
 * The options that the workers of a run share. Throws MILLRACE_CONFIG for a file of the cluster that cannot be read,
 * and MILLRACE_INVALID_OPTION for options that do not fit.
 */
export async function spreadOptionsFor(
  job: LoadedJob,
  { kafka, runId, partitions }: SpreadRequest,
  place: JobPlace,
): Promise<SpreadOptions> {
  return {
    ...{ workflow: job.prepared, cluster: await clusterFrom(kafka, place), runId },
    ...(partitions === undefined ? {} : { partitions }),
  };
}

/**
 * Checks that the workflow can be spread, and returns the function that creates the folder of the run. Throws
 * MILLRACE_SPREAD for a workflow that cannot be spread, and the errors of `spreadOptionsFor`.
 */
export async function prepareSpreadRun(
  job: LoadedJob,
  request: SpreadRequest,
  place: JobPlace,
  { runs, processes, worker }: SpreadRun,
): Promise<() => Promise<ReadyRun>> {
  const options = await spreadOptionsFor(job, request, place);
  stagesOf(options);
  const startCrew: StartCrew = (shared, parts) =>
    processes === undefined
      ? crewOfOne({ ...shared, ...worker }, parts)
      : new WorkerProcesses(processes.command, processes.count).crew();
  const { runId } = request;
  return () => prepareCarriedRun(job, place, { runs, runId, carrier: carrierWith(options, startCrew) });
}
