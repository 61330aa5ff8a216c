/** The options of commands that spread a workflow over several processes by Kafka, and their values. */
import type { Options } from 'yargs';
import { MillraceError } from '../model/errors.js';
import type { LoadedJob } from '../jobs/load-job.js';
import type { SpreadOptions } from '../lanes/index.js';
import type { KafkaCluster } from '../connectors/kafka/index.js';
import type { Arguments } from './arguments.js';
import type { CommandContext } from './command.js';
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

/** The number of partitions; undefined for the default. */
export function partitionsFrom(args: Arguments): number | undefined {
  return args.wholeNumber('partitions', 1, 10_000);
}

/** The value of `--kafka`. Throws MILLRACE_USAGE if there is none. */
export function kafkaFrom(args: Arguments): string {
  const given = args.text('kafka');
  if (given !== undefined) return given;
  throw new MillraceError('MILLRACE_USAGE', 'Expected --kafka with the brokers, such as --kafka localhost:9092');
}

/** The cluster that the arguments name. */
export async function clusterOf(args: Arguments, context: CommandContext): Promise<KafkaCluster> {
  const { clusterFrom } = await import('../jobs/kafka-cluster.js');
  return clusterFrom(kafkaFrom(args), here(context));
}

/** The options that the workers of a run share. */
export async function spreadFrom(
  args: Arguments,
  context: CommandContext,
  job: LoadedJob,
  runId: string,
): Promise<SpreadOptions> {
  const partitions = partitionsFrom(args);
  return {
    ...{ workflow: job.prepared, cluster: await clusterOf(args, context), runId },
    ...(partitions === undefined ? {} : { partitions }),
  };
}

/** The id of an existing run. Throws MILLRACE_USAGE if none is given. */
export function runIdOf(args: Arguments): string {
  const runId = args.text('run-id');
  if (runId !== undefined) return runId;
  throw new MillraceError('MILLRACE_USAGE', 'Expected --run-id, the id that all workers of the run share');
}
