/** The options of commands that spread a workflow over several processes by Kafka, and their values. */
import type { Options } from 'yargs';
import { MillraceError } from '../model/errors.js';
import type { LoadedJob } from '../jobs/load-job.js';
import type { SpreadRequest } from '../jobs/spread/spread-run.js';
import type { SpreadOptions, WorkerOptions } from '../lanes/index.js';
import type { KafkaCluster } from '../connectors/kafka/index.js';
import type { Arguments } from './arguments.js';
import { loadFrom, type CommandContext } from './command.js';
import { here } from './here.js';

const value = { type: 'string', requiresArg: true } as const;

export const partitionOptions = {
  partitions: {
    ...value,
    describe: 'With --kafka: the partitions of each topic that divides records by a key (default: 12)',
  },
} satisfies Record<string, Options>;

export const workerCountOptions = {
  workers: { ...value, describe: 'With --kafka: the number of processes that work on this machine (default: 1)' },
} satisfies Record<string, Options>;

export const kafkaOptions = {
  kafka: {
    ...value,
    describe: 'Brokers that carry the records, as host:port,host:port, or a JSON file with the options of kafka()',
  },
} satisfies Record<string, Options>;

export const stallOptions = {
  stall: {
    ...value,
    describe: 'With --kafka: the seconds after which a worker gives up when a lane moves no record (default: never)',
  },
} satisfies Record<string, Options>;

export const spreadOptions = {
  ...kafkaOptions,
  'run-id': { ...value, describe: 'The id of the run, which is part of the names of its topics' },
  ...partitionOptions,
} satisfies Record<string, Options>;

/** The value of `--kafka`. Throws MILLRACE_USAGE if there is none. */
function kafkaFrom(args: Arguments): string {
  const given = args.text('kafka');
  if (given !== undefined) return given;
  throw new MillraceError('MILLRACE_USAGE', 'Expected --kafka with the brokers, such as --kafka localhost:9092');
}

/** The cluster that the arguments name. */
export async function clusterOf(args: Arguments, context: CommandContext): Promise<KafkaCluster> {
  const { clusterFrom } = await import('../jobs/spread/kafka-cluster.js');
  return clusterFrom(kafkaFrom(args), here(context));
}

/** The request for a spread run. Throws MILLRACE_USAGE if no brokers are given. */
export function spreadRequestFrom<Id extends string | undefined>(
  args: Arguments,
  runId: Id,
): Omit<SpreadRequest, 'runId'> & { readonly runId: Id } {
  return { kafka: kafkaFrom(args), runId, partitions: args.wholeNumber('partitions', 1, 10_000) };
}

/** The workflow of a spread run, and the options that its workers share. */
export async function loadSpread(
  args: Arguments,
  context: CommandContext,
): Promise<{ readonly job: LoadedJob; readonly options: SpreadOptions }> {
  const request = spreadRequestFrom(args, runIdOf(args));
  const job = await loadFrom(args, context);
  const { spreadOptionsFor } = await import('../jobs/spread/spread-run.js');
  return { job, options: await spreadOptionsFor(job, request, here(context)) };
}

/** The time after which a lane that moves no record counts as hanging. */
export function stallFrom(args: Arguments): Pick<WorkerOptions, 'stallMs'> {
  const seconds = args.wholeNumber('stall', 1, 86_400);
  return seconds === undefined ? {} : { stallMs: seconds * 1000 };
}

/** The id of an existing run. Throws MILLRACE_USAGE if none is given. */
export function runIdOf(args: Arguments): string {
  const runId = args.text('run-id');
  if (runId !== undefined) return runId;
  throw new MillraceError('MILLRACE_USAGE', 'Expected --run-id, the id that all workers of the run share');
}
