/**
 * The client port on the raw requests of `@platformatic/kafka`, an optional peer dependency.
 *
 * Only the codecs and the connections of the package are used, not its consumer, producer or transactions: its consumer
 * delivers records of aborted transactions, its transactions commit less than they should, and its idempotent producer
 * loses concurrent batches (DECISIONS 78).
 */
import type * as Package from '@platformatic/kafka';
import { MillraceError } from '../../connect/index.js';
import { Brokers } from './brokers.js';
import { faultOf, runErrorOf } from './client-faults.js';
import { GroupRequests } from './group-requests.js';
import { TopicRequests } from './topic-requests.js';
import type { KafkaCluster } from './cluster.js';
import { committedBatches, timestampOf, type StoredBatch } from './committed-records.js';
import type {
  CommittedOffset,
  Fetched,
  FetchedRecords,
  FetchRequest,
  GroupAnswer,
  GroupBeat,
  GroupMember,
  KafkaPort,
  KnownTransaction,
  NewBatch,
  NewTopic,
  OffsetPlace,
  ProducerClaim,
  ProducerIdentity,
  RawRecord,
  TopicDescription,
} from './port.js';
import { Transactions } from './transactions.js';
import { offsetsOf, wireIdentity } from './wire-forms.js';

const PACKAGE = '@platformatic/kafka';
const PRODUCE_TIMEOUT_MS = 30_000;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;
const ALL_REPLICAS = -1;
const TOPIC_RESOURCE = 2;
const GROUP_RESOURCE = 32;
const SESSION_TIMEOUT = 'consumer.session.timeout.ms';
const SEQUENCES = 2 ** 31;

/**
 * Opens a client. Rejects with MILLRACE_MISSING_PACKAGE if the package is not installed.
 *
 * @param onNotice called with a sentence when the cluster cannot be reached, once per outage, while requests are repeated.
 */
export async function openClient(cluster: KafkaCluster, onNotice?: (message: string) => void): Promise<KafkaPort> {
  return new RawClient(await load(), cluster, onNotice);
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
  private readonly brokers: Brokers;
  private readonly transactionRequests: Transactions;
  private readonly topics: TopicRequests;
  private readonly groups: GroupRequests;

  constructor(kafka: typeof Package, cluster: KafkaCluster, onNotice: ((message: string) => void) | undefined) {
    this.kafka = kafka;
    this.brokers = new Brokers(kafka, cluster, onNotice);
    this.transactionRequests = new Transactions(this.brokers);
    this.topics = new TopicRequests(this.brokers);
    this.groups = new GroupRequests(this.brokers);
  }

  createTopic(topic: NewTopic): Promise<boolean> {
    return this.topics.createTopic(topic);
  }

  deleteTopic(name: string): Promise<boolean> {
    return this.topics.deleteTopic(name);
  }

  hasTopic(name: string): Promise<boolean> {
    return this.topics.hasTopic(name);
  }

  beat(beat: GroupBeat): Promise<GroupAnswer> {
    return this.groups.beat(beat);
  }

  hasMembers(group: string): Promise<boolean> {
    return this.groups.hasMembers(group);
  }

  members(group: string, topicId: string): Promise<readonly GroupMember[] | undefined> {
    return this.groups.members(group, topicId);
  }

  async sessionMs(group: string): Promise<number | undefined> {
    const value = await this.configured(`group '${group}'`, GROUP_RESOURCE, group, SESSION_TIMEOUT);
    return value === undefined ? undefined : Number(value);
  }

  async describe(topic: string): Promise<TopicDescription> {
    const { topicId, cluster, leaders, copies } = await this.brokers.topology(topic, true);
    return { name: topic, id: topicId, cluster, partitions: leaders.length, copies };
  }

  setting(topic: string, name: string): Promise<string | undefined> {
    return this.configured(`topic '${topic}'`, TOPIC_RESOURCE, topic, name);
  }

  async offsets(topic: TopicDescription, place: OffsetPlace): Promise<readonly number[]> {
    const { name } = topic;
    const timestamp = place === 'earliest' ? -2n : typeof place === 'string' ? -1n : BigInt(Math.ceil(place.timestamp));
    const isolation = place === 'end' ? READ_UNCOMMITTED : READ_COMMITTED;
    const found = new Array<number>(topic.partitions).fill(-1);
    await this.brokers.repeat(`look up offsets of topic '${name}'`, async () => {
      const topology = await this.brokers.topology(name);
      const asking = [...new Set(topology.leaders)].map(async (leader) => {
        const connection = await this.brokers.one(topology, leader);
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
    const { topicId, leaders } = await this.brokers.topology(name, isStale);
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
      this.brokers.assertOpen();
      const connection = await this.brokers.waitingOne(await this.brokers.topology(topic.name), leader);
      const topics = [{ topicId: topic.id, partitions }];
      const { responses } = await this.kafka.fetchV13.api
        .async(connection, maxWaitMs, 1, maxBytes, READ_COMMITTED, 0, -1, topics, [], '')
        .catch(partlyAnswered);
      answered = responses.flatMap((one) => one.partitions);
    } catch (error) {
      if (this.brokers.isClosed || !isPassing(error)) throw runErrorOf(`read topic '${topic.name}'`, error);
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
    asked: readonly number[] = [...new Array<undefined>(topic.partitions).keys()],
  ): Promise<ReadonlyMap<number, CommittedOffset>> {
    return this.brokers.repeat(`read the offsets of group '${group}'`, async () => {
      const connection = await this.brokers.coordinator('group', group);
      const topics = [{ name: topic.name, partitionIndexes: [...asked] }];
      const request = [{ groupId: group, memberEpoch: -1, topics }];
      const { groups } = await this.kafka.offsetFetchV8.api.async(connection, request, which === 'stable');
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
    await this.brokers.repeat(`commit offsets of group '${group}'`, async () => {
      const connection = await this.brokers.coordinator('group', group);
      await this.kafka.offsetCommitV8.api.async(connection, group, -1, '', null, [offsetsOf(topic, offsets)]);
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
    await this.brokers.repeat(`write to partition ${partition} of topic '${topic}'`, async () => {
      const topology = await this.brokers.topology(topic);
      const leader = topology.leaders[partition];
      const connection = await this.brokers.one(topology, leader);
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

  beginProducer(
    transactionalId: string,
    transactionTimeoutMs: number,
    claim?: ProducerClaim,
  ): Promise<ProducerIdentity> {
    return this.transactionRequests.beginProducer(transactionalId, transactionTimeoutMs, claim);
  }

  addPartitions(producer: ProducerIdentity, topic: string, partitions: readonly number[]): Promise<void> {
    return this.transactionRequests.addPartitions(producer, topic, partitions);
  }

  commitWithin(
    producer: ProducerIdentity,
    group: string,
    topic: string,
    offsets: ReadonlyMap<number, CommittedOffset>,
  ): Promise<void> {
    return this.transactionRequests.commitWithin(producer, group, topic, offsets);
  }

  endTransaction(producer: ProducerIdentity, isCommitted: boolean): Promise<{ readonly wasRepeated: boolean }> {
    return this.transactionRequests.endTransaction(producer, isCommitted);
  }

  transactions(): Promise<readonly KnownTransaction[]> {
    return this.transactionRequests.transactions();
  }

  close(): Promise<void> {
    return this.brokers.close();
  }

  /** The value of a setting; undefined if the brokers refuse to tell it. */
  private async configured(what: string, type: number, resourceName: string, key: string): Promise<string | undefined> {
    try {
      return await this.brokers.repeat(`read the settings of ${what}`, async () => {
        const connection = await this.brokers.any();
        const resource = { resourceType: type as never, resourceName, configurationKeys: [key] };
        const { results } = await this.kafka.describeConfigsV4.api.async(connection, [resource], false, false);
        return results[0]?.configs.find(({ name }) => name === key)?.value ?? undefined;
      });
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'MILLRACE_KAFKA') return undefined;
      throw error;
    }
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

/** Returns the answer of a fetch in which some partitions failed. The package throws it as an error. */
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
