/** The options of commands that spread a workflow over several processes by Kafka, and what they mean. */
import type { Options } from 'yargs';
import { MillraceError } from '../model/errors.js';
import type { LoadedJob } from '../jobs/load-job.js';
import type { SpreadOptions } from '../lanes/index.js';
import type { Arguments } from './arguments.js';

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
  kafka: { ...value, describe: 'Brokers that carry the records between the stages, as host:port,host:port' },
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

/** The brokers. Throws MILLRACE_USAGE if there are none. */
export function brokersFrom(args: Arguments): readonly string[] {
  const brokers = (args.text('kafka') ?? '').split(',').filter((broker) => broker !== '');
  if (brokers.length > 0) return brokers;
  throw new MillraceError('MILLRACE_USAGE', 'Expected --kafka with the brokers, such as --kafka localhost:9092');
}

/** What the workers of a run have in common. */
export async function spreadFrom(args: Arguments, job: LoadedJob, runId: string): Promise<SpreadOptions> {
  const brokers = brokersFrom(args);
  const partitions = partitionsFrom(args);
  const { kafka } = await import('../connectors/kafka/index.js');
  return {
    ...{ workflow: job.prepared, cluster: kafka({ brokers }), runId },
    ...(partitions === undefined ? {} : { partitions }),
  };
}

/** The id of an existing run. Throws MILLRACE_USAGE if none is given. */
export function runIdOf(args: Arguments): string {
  const runId = args.text('run-id');
  if (runId !== undefined) return runId;
  throw new MillraceError('MILLRACE_USAGE', 'Expected --run-id, the id that all workers of the run share');
}
