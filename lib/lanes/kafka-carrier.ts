/** The option `carrier` of a run: Kafka carries its records between processes. */
import { KafkaCluster } from '../connectors/kafka/cluster.js';
import { checkOptions, count, madeBy, number, type OptionRules } from '../options/options.js';
import type { Carrier } from '../runtime/run/carrier.js';
import type { RunParts } from '../runtime/run/run-parts.js';
import { SpreadEngine, type CarrierParts, type Crew, type StartCrew } from './spread-engine.js';
import type { SpreadWorkflow } from './stage-workflow.js';
import { startWorker, type WorkerOptions } from './worker.js';

/** Options of `kafkaCarrier`. */
export interface KafkaCarrierOptions extends Pick<
  WorkerOptions,
  'cluster' | 'partitions' | 'commitEveryMs' | 'transactionTimeoutMs' | 'stallMs'
> {
  /** The number of copies of each partition of the topics of the run. Default: the default of the brokers. */
  readonly replication?: number;
}

const RULES: OptionRules<KafkaCarrierOptions> = {
  cluster: madeBy(KafkaCluster, 'kafka()'),
  partitions: count(),
  commitEveryMs: number(1),
  transactionTimeoutMs: count(),
  stallMs: count(),
  replication: count(),
};

/**
 * Carries a run by Kafka. The run creates its topics, works on them in this process, and shares the work with every
 * process that runs the same workflow with the same `runId`. Its events, its counts and its summary are those of the
 * whole run. Throws MILLRACE_INVALID_OPTION for options that do not fit.
 *
 * @example
 * const cluster = kafka({ brokers: ['localhost:9092'] });
 * MyFlow.run(config, { runId: 'monday', carrier: kafkaCarrier({ cluster }) });
 */
export function kafkaCarrier(options: KafkaCarrierOptions): Carrier {
  checkOptions('a kafkaCarrier', options, RULES, ['cluster']);
  const { commitEveryMs, transactionTimeoutMs, stallMs, ...parts } = options;
  const own = {
    ...(commitEveryMs === undefined ? {} : { commitEveryMs }),
    ...(transactionTimeoutMs === undefined ? {} : { transactionTimeoutMs }),
    ...(stallMs === undefined ? {} : { stallMs }),
  };
  return carrierWith(parts, (spread, run) => crewOfOne({ ...spread, ...own }, run));
}

/** A carrier whose crew is started by the caller. */
export function carrierWith(options: CarrierParts, startCrew: StartCrew): Carrier {
  return {
    carry: (workflow, parts, face) => new SpreadEngine(workflow as SpreadWorkflow, options, parts, face, startCrew),
  };
}

/** One worker in this process. */
export function crewOfOne(options: WorkerOptions, { secrets, upstream, graceMs }: RunParts): Crew {
  const worker = startWorker({
    ...options,
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(secrets === undefined ? {} : { secrets }),
    ...(upstream === undefined ? {} : { upstream }),
  });
  return {
    finished: worker.finished.then(({ outcome }) => outcome),
    stop: (graceMs) => {
      worker.stop(graceMs);
    },
    kill: () => {
      worker.stop(0);
    },
  };
}
