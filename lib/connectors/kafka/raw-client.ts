/**
 * The client port on the raw requests of `@platformatic/kafka`, an optional peer dependency.
 *
 * Only the codecs and the connections of the package are used, not its consumer, producer or transactions: its consumer delivers
 * records of aborted transactions, its transactions commit less than they were told, and its idempotent producer loses concurrent
 * batches (DECISIONS 80). Two pools of connections: a broker answers the requests of one connection in order, so a fetch that waits
 * for records would hold up everything behind it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type * as Package from '@platformatic/kafka';
import { MillraceError } from '../../connect/index.js';
import { faultOf, runErrorOf } from './client-faults.js';
import type { KafkaCluster, KafkaSaslOptions } from './cluster.js';
import { committedBatches, timestampOf, type StoredBatch } from './committed-records.js';
import type {
  CommittedOffset,
  Fetched,
  FetchedRecords,
  FetchRequest,
  KafkaPort,
  NewBatch,
  OffsetPlace,
  ProducerIdentity,
  RawRecord,
  TopicDescription,
} from './port.js';

const PACKAGE = '@platformatic/kafka';
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 1000;
/** How long a topic may be unknown: a broker learns of a new topic a moment later than the one that created it. */
const UNKNOWN_TOPIC_MS = 1000;
const PRODUCE_TIMEOUT_MS = 30_000;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;
const ALL_REPLICAS = -1;
const TOPIC_RESOURCE = 2;
const SEQUENCES = 2 ** 31;

type CoordinatorOf = 'group' | 'transaction';
const COORDINATOR_TYPES: Readonly<Record<CoordinatorOf, number>> = { group: 0, transaction: 1 };

interface Topology {
  readonly cluster: string;
  readonly brokers: ReadonlyMap<number, Package.Broker>;
  readonly topicId: string;
  readonly leaders: readonly number[];
}

/**
 * Opens a client. Rejects with MILLRACE_MISSING_PACKAGE if the package is not installed.
 */
export async function openClient(cluster: KafkaCluster): Promise<KafkaPort> {
  return new RawClient(await load(), cluster);
}

async function load(): Promise<typeof Package> {
  try {
    return await import('@platformatic/kafka');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new MillraceError(
      'MILLRACE_MISSING_PACKAGE',
      `millrace/kafka needs ${PACKAGE}, which is not installed. Install it: npm install ${PACKAGE}`,
      { cause: error },
    );
  }
}

class RawClient implements KafkaPort {
  private readonly kafka: typeof Package;
  private readonly timeoutMs: number;
  private readonly bootstrap: Package.Broker[];
  /** For requests that are answered at once. */
  private readonly direct: Package.ConnectionPool;
  /** For fetches, which may wait. */
  private readonly waiting: Package.ConnectionPool;
  private readonly topologies = new Map<string, Topology>();
  private readonly coordinators = new Map<string, Package.Broker>();
  private readonly closing = new AbortController();

  constructor(kafka: typeof Package, { options }: KafkaCluster) {
    this.kafka = kafka;
    this.timeoutMs = options.timeoutMs;
    this.bootstrap = options.brokers.map((address) => {
      const colon = address.lastIndexOf(':');
      return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
    });
    const { clientId, tls, sasl } = options;
    const settings: Package.ConnectionOptions = {
      ...(tls === undefined || tls === false ? {} : { tls: tls === true ? {} : { ...tls }, tlsServerName: true }),
      ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
    };
    this.direct = new kafka.ConnectionPool(clientId, settings);
    this.waiting = new kafka.ConnectionPool(clientId, settings);
  }

  async describe(topic: string): Promise<TopicDescription> {
    const { topicId, cluster, leaders } = await this.topology(topic, true);
    return { name: topic, id: topicId, cluster, partitions: leaders.length };
  }

  async setting(topic: string, name: string): Promise<string | undefined> {
    try {
      return await this.repeat(`read the settings of topic '${topic}'`, async () => {
        const connection = await this.direct.getFirstAvailable(this.bootstrap);
        const resource = { resourceType: TOPIC_RESOURCE as never, resourceName: topic, configurationKeys: [name] };
        const { results } = await this.kafka.describeConfigsV4.api.async(connection, [resource], false, false);
        return results[0]?.configs.find((config) => config.name === name)?.value ?? undefined;
      });
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'MILLRACE_KAFKA') return undefined;
      throw error;
    }
  }

  async offsets(topic: TopicDescription, place: OffsetPlace): Promise<readonly number[]> {
    const { name } = topic;
    const timestamp = place === 'earliest' ? -2n : typeof place === 'string' ? -1n : BigInt(Math.ceil(place.timestamp));
    const isolation = place === 'end' ? READ_UNCOMMITTED : READ_COMMITTED;
    const found = new Array<number>(topic.partitions).fill(-1);
    await this.repeat(`look up offsets of topic '${name}'`, async () => {
      const topology = await this.topology(name);
      const asking = [...new Set(topology.leaders)].map(async (leader) => {
        const connection = await this.direct.get(brokerOf(topology, leader));
        const partitions = topology.leaders.flatMap((own, partitionIndex) =>
          own === leader ? [{ partitionIndex, currentLeaderEpoch: -1, timestamp }] : [],
        );
        const asked = [{ name, partitions }];
        const { topics } = await this.kafka.listOffsetsV7.api.async(connection, -1, isolation, asked);
        for (const { partitionIndex, offset } of topics[0]?.partitions ?? []) found[partitionIndex] = Number(offset);
      });
      await Promise.all(asking);
    });
    return found;
  }

  async leaders({ name, id }: TopicDescription, isStale: boolean): Promise<readonly number[]> {
    const { topicId, leaders } = await this.topology(name, isStale);
    if (topicId === id) return leaders;
    throw new MillraceError(
      'MILLRACE_KAFKA',
      `Topic '${name}' was deleted and created again while the run read it. Start a new run`,
    );
  }

  async fetch(leader: number, request: FetchRequest): Promise<readonly Fetched[]> {
    const { topic, places, maxWaitMs, maxBytesPerPartition } = request;
    const partitions = places.map(({ partition, offset }) => ({
      partition,
      currentLeaderEpoch: -1,
      fetchOffset: BigInt(offset),
      lastFetchedEpoch: -1,
      partitionMaxBytes: maxBytesPerPartition,
    }));
    const maxBytes = Math.min(maxBytesPerPartition * places.length, 2 ** 30);
    let answered: readonly Package.fetchV13.FetchResponsePartition[];
    try {
      this.assertOpen();
      const connection = await this.waiting.get(brokerOf(await this.topology(topic.name), leader));
      const topics = [{ topicId: topic.id, partitions }];
      const { responses } = await this.kafka.fetchV13.api
        .async(connection, maxWaitMs, 1, maxBytes, READ_COMMITTED, 0, -1, topics, [], '')
        .catch(partlyAnswered);
      answered = responses.flatMap((one) => one.partitions);
    } catch (error) {
      if (this.closing.signal.aborted || !isPassing(error)) throw runErrorOf(`read topic '${topic.name}'`, error);
      return places.map(({ partition }) => ({ kind: 'moved', partition, error }));
    }
    return places.map(({ partition, offset }): Fetched => {
      const found = answered.find(({ partitionIndex }) => partitionIndex === partition);
      if (found === undefined) return { kind: 'records', partition, records: [], next: offset };
      if (found.errorCode === 0) return this.decoded(topic.name, found, offset);
      const error = new this.kafka.ProtocolError(found.errorCode);
      const [answer] = faultOf(error).answers;
      if (answer === 'OFFSET_OUT_OF_RANGE') return { kind: 'lost', partition };
      // The id of a topic that was created again is noticed when the leaders are looked up.
      if (isPassing(error) || answer === 'UNKNOWN_TOPIC_ID') return { kind: 'moved', partition, error };
      throw runErrorOf(`read partition ${partition} of topic '${topic.name}'`, error);
    });
  }

  committed(
    group: string,
    topic: TopicDescription,
    which: 'stable' | 'current',
  ): Promise<ReadonlyMap<number, CommittedOffset>> {
    return this.repeat(`read the offsets of group '${group}'`, async () => {
      const connection = await this.coordinator('group', group);
      const partitionIndexes = [...new Array<undefined>(topic.partitions).keys()];
      const asked = [{ groupId: group, memberEpoch: -1, topics: [{ name: topic.name, partitionIndexes }] }];
      const { groups } = await this.kafka.offsetFetchV8.api.async(connection, asked, which === 'stable');
      const partitions = groups[0]?.topics[0]?.partitions ?? [];
      return new Map(
        partitions.flatMap(({ partitionIndex, committedOffset, metadata }) =>
          committedOffset < 0n
            ? []
            : [[partitionIndex, { offset: Number(committedOffset), metadata: metadata ?? '' }] as const],
        ),
      );
    });
  }

  async commit(group: string, topic: string, offsets: ReadonlyMap<number, CommittedOffset>): Promise<void> {
    await this.repeat(`commit offsets of group '${group}'`, async () => {
      const connection = await this.coordinator('group', group);
      await this.kafka.offsetCommitV8.api.async(connection, group, -1, '', null, [offsetsOf(topic, offsets)]);
    });
  }

  beginProducer(transactionalId: string, transactionTimeoutMs: number): Promise<ProducerIdentity> {
    return this.repeat(`begin to write as '${transactionalId}'`, async () => {
      const connection = await this.coordinator('transaction', transactionalId);
      const { producerId, producerEpoch } = await this.kafka.initProducerIdV4.api.async(
        ...([connection, transactionalId, transactionTimeoutMs, -1n, -1] as const),
      );
      return { transactionalId, producerId: String(producerId), epoch: producerEpoch };
    });
  }

  async addPartitions(producer: ProducerIdentity, topic: string, partitions: readonly number[]): Promise<void> {
    const { transactionalId } = producer;
    await this.repeat(`begin a transaction of '${transactionalId}'`, async () => {
      const connection = await this.coordinator('transaction', transactionalId);
      const topics = [{ name: topic, partitions: [...partitions] }];
      await this.kafka.addPartitionsToTxnV3.api.async(connection, [
        { transactionalId, ...wireIdentity(producer), verifyOnly: false, topics },
      ]);
    });
  }

  async write({ topic, partition, records, compression, producer, sequence }: NewBatch): Promise<void> {
    const { NumericMap, produceV9 } = this.kafka;
    const options = {
      compression,
      ...(producer === undefined
        ? { producerId: -1n, producerEpoch: -1 }
        : { ...wireIdentity(producer), transactionalId: producer.transactionalId }),
      sequences: new NumericMap([[`${topic}:${partition}`, sequence % SEQUENCES]]),
    };
    const timestamp = BigInt(Date.now());
    await this.repeat(`write to partition ${partition} of topic '${topic}'`, async () => {
      const topology = await this.topology(topic);
      const leader = topology.leaders[partition];
      const connection = await this.direct.get(brokerOf(topology, leader));
      const messages = records.map(({ key, value, headers }) => ({
        topic,
        partition,
        timestamp,
        key: bufferOf(key) as Buffer,
        value: bufferOf(value) as Buffer,
        headers: new Map(headers.map(([name, bytes]) => [Buffer.from(name), bufferOf(bytes) as Buffer])),
      }));
      await produceV9.api.async(connection, ALL_REPLICAS, PRODUCE_TIMEOUT_MS, messages, options);
    });
  }

  async commitWithin(
    producer: ProducerIdentity,
    group: string,
    topic: string,
    offsets: ReadonlyMap<number, CommittedOffset>,
  ): Promise<void> {
    const { transactionalId } = producer;
    const { producerId, producerEpoch } = wireIdentity(producer);
    const what = `commit offsets of group '${group}' in a transaction`;
    await this.repeat(what, async () => {
      const connection = await this.coordinator('transaction', transactionalId);
      await this.kafka.addOffsetsToTxnV3.api.async(connection, transactionalId, producerId, producerEpoch, group);
    });
    await this.repeat(what, async () => {
      const connection = await this.coordinator('group', group);
      await this.kafka.txnOffsetCommitV3.api.async(
        ...([connection, transactionalId, group, producerId, producerEpoch, -1, '', null] as const),
        [offsetsOf(topic, offsets)],
      );
    });
  }

  endTransaction(producer: ProducerIdentity, isCommitted: boolean): Promise<{ readonly wasRepeated: boolean }> {
    const { transactionalId } = producer;
    const { producerId, producerEpoch } = wireIdentity(producer);
    const what = `${isCommitted ? 'commit' : 'abort'} a transaction of '${transactionalId}'`;
    let sent = 0;
    return this.repeat(what, async () => {
      const connection = await this.coordinator('transaction', transactionalId);
      sent++;
      await this.kafka.endTxnV3.api.async(connection, transactionalId, producerId, producerEpoch, isCommitted);
      return { wasRepeated: sent > 1 };
    });
  }

  async close(): Promise<void> {
    this.closing.abort();
    await Promise.all([this.direct.close(), this.waiting.close()]);
  }

  private async topology(topic: string, isStale = false): Promise<Topology> {
    const known = this.topologies.get(topic);
    if (known !== undefined && !isStale) return known;
    const unknownUntil = performance.now() + UNKNOWN_TOPIC_MS;
    return this.repeat(
      `find topic '${topic}'`,
      async () => {
        const connection = await this.direct.getFirstAvailable(this.bootstrap);
        const { brokers, clusterId, topics } = await this.kafka.metadataV12.api.async(
          connection,
          [topic],
          false,
          false,
        );
        const [found] = topics;
        const topology: Topology = {
          cluster: clusterId ?? '',
          brokers: new Map(brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }])),
          topicId: found?.topicId ?? '',
          leaders: [...(found?.partitions ?? [])]
            .sort((a, b) => a.partitionIndex - b.partitionIndex)
            .map(({ leaderId }) => leaderId),
        };
        this.topologies.set(topic, topology);
        return topology;
      },
      (error) => {
        if (performance.now() < unknownUntil) return;
        if (!faultOf(error).answers.includes('UNKNOWN_TOPIC_OR_PARTITION')) return;
        throw new MillraceError(
          'MILLRACE_KAFKA',
          `There is no topic '${topic}'. Create it, for example: kafka-topics.sh --create --topic ${topic} --partitions 12 --bootstrap-server …`,
          { cause: error },
        );
      },
    );
  }

  private async coordinator(of: CoordinatorOf, name: string): Promise<Package.Connection> {
    const key = `${of} ${name}`;
    let broker = this.coordinators.get(key);
    if (broker === undefined) {
      const connection = await this.direct.getFirstAvailable(this.bootstrap);
      const { coordinators } = await this.kafka.findCoordinatorV4.api.async(connection, COORDINATOR_TYPES[of], [name]);
      const [found] = coordinators;
      if (found === undefined) throw passing('COORDINATOR_NOT_AVAILABLE');
      broker = { host: found.host, port: found.port };
      this.coordinators.set(key, broker);
    }
    return this.direct.get(broker);
  }

  /** Repeats the request while its error may pass. `refuse` may throw another error instead. */
  private async repeat<T>(
    what: string,
    request: () => Promise<T>,
    refuse: (error: unknown) => void = () => undefined,
  ): Promise<T> {
    const latest = performance.now() + this.timeoutMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      this.assertOpen();
      try {
        return await request();
      } catch (error) {
        refuse(error);
        const { isPassing: mayPass, isStale } = faultOf(error);
        if (!mayPass || performance.now() + pauseMs > latest) throw runErrorOf(what, error);
        if (isStale) this.forget();
        await sleep(pauseMs, undefined, { signal: this.closing.signal }).catch(() => undefined);
      }
    }
  }

  private assertOpen(): void {
    if (!this.closing.signal.aborted) return;
    throw new MillraceError('MILLRACE_ABORTED', 'The connections to Kafka were closed');
  }

  private forget(): void {
    this.topologies.clear();
    this.coordinators.clear();
  }

  private decoded(topic: string, found: Package.fetchV13.FetchResponsePartition, offset: number): FetchedRecords {
    const { partitionIndex: partition, abortedTransactions } = found;
    const batches = (found.records ?? []) as readonly StoredBatch[];
    const records: RawRecord[] = [];
    let next = offset;
    for (const { batch, isVisible } of committedBatches(batches, abortedTransactions)) {
      const first = Number(batch.firstOffset);
      next = first + batch.lastOffsetDelta + 1;
      if (!isVisible) continue;
      for (const stored of batch.records) {
        const at = first + stored.offsetDelta;
        if (at < offset) continue;
        const { key, value } = stored;
        const headers = stored.headers.map(([name, bytes]) => [textOf(name), bytes] as const);
        records.push({ offset: at, timestamp: timestampOf(batch, stored), key, value, headers });
      }
    }
    if (Number.isSafeInteger(next)) return { kind: 'records', partition, records, next: Math.max(next, offset) };
    throw new MillraceError('MILLRACE_KAFKA', `An offset of topic '${topic}' is above 2^53`);
  }
}

function brokerOf({ brokers }: Topology, id: number | undefined): Package.Broker {
  const broker = id === undefined ? undefined : brokers.get(id);
  if (broker !== undefined) return broker;
  // A partition without a leader gets one, or the request fails in the end.
  throw passing('LEADER_NOT_AVAILABLE');
}

function passing(apiId: string): Error {
  return Object.assign(new Error('No broker is responsible at the moment'), { apiId });
}

function wireIdentity({ producerId, epoch }: ProducerIdentity): {
  readonly producerId: bigint;
  readonly producerEpoch: number;
} {
  return { producerId: BigInt(producerId), producerEpoch: epoch };
}

function offsetsOf(
  name: string,
  offsets: ReadonlyMap<number, CommittedOffset>,
): { name: string; partitions: Package.offsetCommitV8.OffsetCommitRequestPartition[] } {
  const partitions = [...offsets].map(([partitionIndex, { offset, metadata }]) => ({
    partitionIndex,
    committedOffset: BigInt(offset),
    committedLeaderEpoch: -1,
    committedMetadata: metadata,
  }));
  return { name, partitions };
}

/** The answer of a fetch in which some partitions failed: the package makes an error of it. */
function partlyAnswered(error: unknown): Package.fetchV13.FetchResponse {
  const { response } = error as { readonly response?: Package.fetchV13.FetchResponse };
  if (response === undefined || response.errorCode !== 0) throw error;
  return response;
}

function isPassing(error: unknown): boolean {
  return faultOf(error).isPassing;
}

function bufferOf(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function textOf(bytes: Uint8Array | null): string {
  return bytes === null ? '' : (bufferOf(bytes) as Buffer).toString('utf8');
}

function saslOf({ mechanism, ...credentials }: KafkaSaslOptions): Package.SASLOptions {
  return { mechanism: mechanism.toUpperCase() as Package.SASLMechanismValue, ...credentials };
}
