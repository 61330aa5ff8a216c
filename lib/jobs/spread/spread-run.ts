/**
 * A run whose records Kafka carries between processes: its options, its workers on this machine, and its folder.
 *
 * Guarantees: a workflow that cannot be spread is refused before anything is written.
 */
import { carrierWith, crewOfOne, type RunMemory, type StartCrew } from '../../lanes/internal.js';
import { stagesOf, type SpreadOptions, type WorkerOptions } from '../../lanes/index.js';
import type { Carrier } from '../../runtime/run/carrier.js';
import { newRunId } from '../../runtime/run/run.js';
import type { ReadyRun } from '../kept-run.js';
import { loadJob, type JobRequest, type LoadedJob } from '../load-job.js';
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

/** A spread run that this machine starts, works on and follows. */
export interface SpreadStart extends Omit<SpreadRequest, 'runId'> {
  /** Undefined for a new id. */
  readonly runId: string | undefined;
  /** The folder of runs; undefined for a run that keeps nothing on this machine. */
  readonly runs: string | undefined;
  /** The number of workers on this machine: 1 works in this process, more are processes of their own. */
  readonly workers: number;
  /** The command line of a worker process. */
  readonly workerCommand: (runId: string) => WorkerCommand;
  /** Called with a sentence if the brokers cannot be reached before the run has started. */
  readonly onNotice: (message: string) => void;
  /** The options of a worker in this process. */
  readonly worker: Pick<WorkerOptions, 'stallMs'>;
}

/** A spread run that was checked. Nothing has been written. */
export interface SpreadRun {
  readonly job: LoadedJob;
  readonly runId: string;
  /** Creates the folder of the run. */
  readonly create: () => Promise<ReadyRun>;
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
 * Loads the job, and checks that the workflow can be spread. Throws the errors of `loadJob` and `spreadOptionsFor`, and
 * MILLRACE_SPREAD for a workflow that cannot be spread.
 */
export async function prepareSpreadRun(
  request: JobRequest,
  { kafka, runId = newRunId(), partitions, runs, workers, workerCommand, onNotice, worker }: SpreadStart,
  place: JobPlace,
): Promise<SpreadRun> {
  const job = await loadJob({ ...request, kafka, ...(partitions === undefined ? {} : { partitions }) }, place);
  const options = await spreadOptionsFor(job, { kafka, runId, partitions }, place);
  stagesOf(options);
  const startCrew: StartCrew = (shared, parts) =>
    workers === 1
      ? crewOfOne({ ...shared, ...worker }, parts)
      : new WorkerProcesses(workerCommand(runId), workers).crew();
  const carrierFor = (memory: RunMemory | undefined): Carrier => carrierWith({ ...options, memory }, startCrew);
  return { job, runId, create: () => prepareCarriedRun(job, place, { runs, spread: options, onNotice, carrierFor }) };
}
