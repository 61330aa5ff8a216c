/** The lag of the workers of a run, and the open transactions of a cluster. */
import type { KafkaCluster } from '../connectors/kafka/cluster.js';
import { openClient } from '../connectors/kafka/raw-client.js';
import { MillraceError } from '../model/errors.js';
import { CLOSED } from './lane.js';
import { existingRun, stagesOf, type SpreadOptions } from './cluster-run.js';

/** The records that a stage has not processed yet. */
export interface StageLag {
  /** The name of the stage. */
  readonly stage: string;
  /** The number of its lanes. */
  readonly lanes: number;
  /** The number of lanes that have completed. */
  readonly completed: number;
  /**
   * The records in its topics behind the committed offsets of its lanes; undefined for a stage that begins with a
   * source. The markers of ends and of transactions are counted too, so the number may stay above 0 at the end.
   */
  readonly records: number | undefined;
}

/** The transaction timeout of a producer that is begun only to abort an open transaction. */
const ABORT_TIMEOUT_MS = 60_000;

/**
 * The lag of each stage of a run. Rejects with MILLRACE_UNKNOWN_RUN if there is no such run, with MILLRACE_RESUME if it
 * has another definition, configuration or number of partitions, and with MILLRACE_SPREAD for a workflow that cannot be
 * spread.
 *
 * @param onNotice called with a sentence if the brokers cannot be reached, while they are tried again.
 */
export async function lagOf(
  options: SpreadOptions,
  onNotice?: (message: string) => void,
): Promise<readonly StageLag[]> {
  stagesOf(options);
  const client = await openClient(options.cluster, onNotice);
  try {
    const { plan } = await existingRun(client, options);
    const closed = await client.committed(plan.group, await client.describe(plan.stateTopic), 'current');
    const lags: StageLag[] = [];
    let lane = 0;
    for (const { name, lanes, inputs } of plan.stages) {
      const own = [...new Array(lanes).keys()].map((partition) => lane + partition);
      lane += lanes;
      let records: number | undefined;
      for (const { topic: input } of inputs) {
        const topic = await client.describe(input);
        const [ends, committed] = [
          await client.offsets(topic, 'latest'),
          await client.committed(plan.group, topic, 'current'),
        ];
        const behind = ends.map((end, partition) => Math.max(0, end - (committed.get(partition)?.offset ?? 0)));
        records = behind.reduce((sum, count) => sum + count, records ?? 0);
      }
      const completed = own.filter((one) => closed.get(one)?.metadata === CLOSED).length;
      lags.push({ stage: name, lanes, completed, records });
    }
    return lags;
  } finally {
    await client.close();
  }
}

/**
 * The transactional ids that begin with these words and have an open transaction, sorted. `millrace.Flow.r1` has those of
 * the lanes of that run and of their sinks, and none of a run `r10`. Rejects with MILLRACE_MISSING_PACKAGE without the
 * client of Kafka, and with MILLRACE_NETWORK if no broker answers.
 */
export async function openTransactions(cluster: KafkaCluster, prefix: string): Promise<readonly string[]> {
  const client = await openClient(cluster);
  try {
    const known = await client.transactions();
    return known
      .filter(({ transactionalId, isOpen }) => isOpen && belongsTo(transactionalId, prefix))
      .map(({ transactionalId }) => transactionalId)
      .sort();
  } finally {
    await client.close();
  }
}

/**
 * Aborts the open transactions of all transactional ids that begin with these words, and fences their writers. A run
 * that still uses one of these ids stops, or begins the lane again. Resolves with the ids. Rejects with MILLRACE_USAGE
 * for an empty prefix.
 */
export async function abortTransactions(cluster: KafkaCluster, prefix: string): Promise<readonly string[]> {
  if (prefix === '') {
    throw new MillraceError('MILLRACE_USAGE', 'Expected a prefix of transactional ids, got an empty text');
  }
  const ids = await openTransactions(cluster, prefix);
  const client = await openClient(cluster);
  try {
    for (const id of ids) await client.beginProducer(id, ABORT_TIMEOUT_MS);
    return ids;
  } finally {
    await client.close();
  }
}

/**
 * Whether the id begins with the words of the prefix. The transactions of a sink's own have the id of its lane behind
 * `millrace-`. Ids of runs may contain dashes, so a dash behind the name of a spread run belongs to another run.
 */
function belongsTo(id: string, prefix: string): boolean {
  return [prefix, `millrace-${prefix}`].some((start) => {
    if (!id.startsWith(start)) return false;
    const next = id.slice(start.length);
    return (
      next === '' || /[.-]$/.test(start) || next.startsWith('.') || (next.startsWith('-') && !prefix.includes('.'))
    );
  });
}
