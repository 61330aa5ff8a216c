/** kafkajs as the client that judges ours: it creates topics, writes and reads them. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  alterClientQuotasV1,
  ConnectionPool,
  deleteRecordsV2,
  fetchV13,
  findCoordinatorV4,
  metadataV12,
  type Broker,
  listOffsetsV7,
  listTransactionsV1,
  type Connection,
} from '@platformatic/kafka';
import kafkajs, { Kafka, logLevel, type Admin, type Message } from 'kafkajs';

/** A record as the independent reader saw it. */
export interface SeenRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A stored batch of records, or the marker of the end of a transaction. */
export interface SeenBatch {
  readonly partition: number;
  /** The offsets of its first and last record. */
  readonly first: number;
  readonly last: number;
  readonly producer: string;
  readonly producerEpoch: number;
  readonly isTransactional: boolean;
  /** For a marker: the end of the transaction. */
  readonly end: 'abort' | 'commit' | undefined;
}

const MOST_AT_ONCE = 5000;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/** How often a new topic is asked for, 100 ms apart. */
const MOST_LOOKS = 300;

/** A cluster as the specs see it. */
export class TestCluster {
  readonly client: Kafka;
  private readonly brokers: readonly string[];
  private admin: Admin | undefined;

  constructor(brokers: readonly string[]) {
    this.brokers = brokers;
    const retry = { initialRetryTime: 50, retries: 20 };
    this.client = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry });
  }

  async close(): Promise<void> {
    await this.admin?.disconnect();
    this.admin = undefined;
  }

  async asAdmin(): Promise<Admin> {
    if (this.admin === undefined) {
      this.admin = this.client.admin();
      await this.admin.connect();
    }
    return this.admin;
  }

  /** Creates a topic with a name of its own. */
  async topic(partitions = 1, settings: Readonly<Record<string, string>> = {}): Promise<string> {
    const topic = `topic-${randomUUID().slice(0, 8)}`;
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    const admin = await this.asAdmin();
    await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: partitions, configEntries }] });
    // A broker learns of a topic a little after the controller has made it, and refuses questions about it until then.
    for (let attempt = 1; ; attempt++) {
      const isKnown = await admin.fetchTopicMetadata({ topics: [topic] }).then(
        ({ topics }) => topics[0]?.partitions.every(({ leader }) => leader >= 0) === true,
        () => false,
      );
      if (isKnown) return topic;
      if (attempt === MOST_LOOKS) throw new Error(`No broker knows ${topic}`);
      await sleep(100);
    }
  }

  /** Writes records outside of transactions, one partition per request. */
  async write(topic: string, messages: readonly Message[]): Promise<void> {
    const producer = this.client.producer();
    await producer.connect();
    const partitions = new Set(messages.map(({ partition = 0 }) => partition));
    for (const partition of partitions) {
      const own = messages.filter((message) => (message.partition ?? 0) === partition);
      // A request of more than a megabyte is refused.
      for (let i = 0; i < own.length; i += MOST_AT_ONCE) {
        const some = own.slice(i, i + MOST_AT_ONCE).map((message) => ({ ...message, partition }));
        await producer.send({ topic, acks: -1, messages: some });
      }
    }
    await producer.disconnect();
  }

  /** Writes records in one transaction, and commits or aborts it. */
  async transact(
    topic: string,
    messages: readonly Message[],
    end: 'commit' | 'abort',
    id: string = randomUUID(),
  ): Promise<void> {
    const producer = this.client.producer({ transactionalId: id, maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    const transaction = await producer.transaction();
    const own = messages.map((one) => ({ partition: 0, ...one }));
    // A request of more than a megabyte is refused.
    for (let i = 0; i < own.length; i += 8) {
      await transaction.send({ topic, acks: -1, messages: own.slice(i, i + 8) });
    }
    await transaction[end]();
    await producer.disconnect();
  }

  /** Removes the records of partition 0 before the offset, as retention would. */
  async removeBefore(topic: string, offset: number): Promise<void> {
    await this.ask(async (connection) => {
      const partitions = [{ partitionIndex: 0, offset: BigInt(offset) }];
      await deleteRecordsV2.api.async(connection, [{ name: topic, partitions }], 10_000);
    });
  }

  /** Changes a setting of a topic. */
  async change(topic: string, name: string, value: string): Promise<void> {
    const configEntries = [{ name, value }];
    const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }];
    await (await this.asAdmin()).alterConfigs({ validateOnly: false, resources });
  }

  /** Limits the bytes per second that clients of this name may write. */
  async throttle(clientId: string, bytesPerSecond: number): Promise<void> {
    await this.ask(async (connection) => {
      const entities = [{ entityType: 'client-id' as const, entityName: clientId }];
      const ops = [{ key: 'producer_byte_rate' as const, value: bytesPerSecond, remove: false as const }];
      await alterClientQuotasV1.api.async(connection, [{ entities, ops }], false);
    });
  }

  /** The number of the broker that is responsible for a group or a transactional id. */
  coordinator(of: 'group' | 'transaction', name: string): Promise<number> {
    return this.ask(async (connection) => {
      for (;;) {
        const type = of === 'group' ? 0 : 1;
        const { coordinators } = await findCoordinatorV4.api
          .async(connection, type, [name])
          .catch(() => ({ coordinators: [] }));
        const [found] = coordinators;
        if (found !== undefined && found.nodeId > 0) return found.nodeId;
        await sleep(100);
      }
    });
  }

  /** Moves the leader of each partition to another broker, by taking its copy away and giving it back. */
  async moveLeaders(topic: string): Promise<void> {
    const admin = await this.asAdmin();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const before = topics[0]?.partitions ?? [];
    const others = before.map(({ partitionId: partition, leader, replicas }) => ({
      partition,
      replicas: replicas.filter((replica) => replica !== leader),
    }));
    const settled = async (partitionAssignment: typeof others): Promise<void> => {
      await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
      for (;;) {
        const { topics: left } = await admin.listPartitionReassignments({
          topics: [{ topic, partitions: partitionAssignment.map(({ partition }) => partition) }],
        });
        if (left.length === 0) return;
        await sleep(50);
      }
    };
    await settled(others);
    const leaders = new Map(before.map(({ partitionId, leader }) => [partitionId, leader]));
    await settled(
      others.map(({ partition, replicas }) => ({
        partition,
        replicas: [...replicas, leaders.get(partition) as number],
      })),
    );
  }

  /** All batches of the topic, also those of aborted transactions, and markers. */
  async batches(topic: string): Promise<readonly SeenBatch[]> {
    const found: SeenBatch[] = [];
    const admin = await this.asAdmin();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const { brokers } = await admin.describeCluster();
    const topicId = await this.ask(async (connection) => {
      const { topics: known } = await metadataV12.api.async(connection, [topic], false, false);
      return known[0]?.topicId as string;
    });
    const pool = new ConnectionPool('spec');
    try {
      for (const { partitionId: partition, leader } of topics[0]?.partitions ?? []) {
        const { host, port } = brokers.find(({ nodeId }) => nodeId === leader) as Broker;
        const connection = await pool.get({ host, port });
        for (let offset: bigint | undefined = 0n; offset !== undefined;) {
          const place = { partition, currentLeaderEpoch: -1, fetchOffset: offset };
          const all = [{ topicId, partitions: [{ ...place, lastFetchedEpoch: -1, partitionMaxBytes: 2 ** 20 }] }];
          const { responses } = await fetchV13.api.async(connection, 100, 0, 2 ** 20, 0, 0, -1, all, [], '');
          const batches = responses[0]?.partitions[0]?.records ?? [];
          for (const { firstOffset, lastOffsetDelta, attributes, producerId, producerEpoch, records } of batches) {
            const marker = (attributes & CONTROL) === 0 ? undefined : records[0]?.key?.readInt16BE(2);
            const first = Number(firstOffset);
            found.push({
              ...{ partition, first, last: first + lastOffsetDelta, producer: String(producerId), producerEpoch },
              ...{ isTransactional: (attributes & TRANSACTIONAL) !== 0 },
              end: marker === undefined ? undefined : marker === 0 ? 'abort' : 'commit',
            });
          }
          const last = batches.at(-1);
          offset = last === undefined ? undefined : last.firstOffset + BigInt(last.lastOffsetDelta) + 1n;
        }
      }
    } finally {
      await pool.close();
    }
    return found;
  }

  /** The batches of aborted transactions: the next marker of their producer is an abort. */
  private async aborted(topic: string): Promise<readonly SeenBatch[]> {
    const aborted: SeenBatch[] = [];
    const open = new Map<string, SeenBatch[]>();
    for (const batch of await this.batches(topic)) {
      if (!batch.isTransactional) continue;
      const key = `${batch.partition}/${batch.producer}`;
      const own = open.get(key) ?? [];
      open.set(key, batch.end === undefined ? [...own, batch] : []);
      if (batch.end === 'abort') aborted.push(...own);
    }
    return aborted;
  }

  protected async ask<T>(request: (connection: Connection) => Promise<T>): Promise<T> {
    const pool = new ConnectionPool('spec');
    const [host, port] = (this.brokers[0] as string).split(':') as [string, string];
    try {
      return await request(await pool.get({ host, port: Number(port) }));
    } finally {
      await pool.close();
    }
  }

  /** Whether a transaction that nobody has ended yet hides the whole topic. */
  private async isAllOpen(topic: string, partitions: number): Promise<boolean> {
    const asked = [...new Array(partitions).keys()].map((partitionIndex) => ({
      ...{ partitionIndex, currentLeaderEpoch: -1, timestamp: -1n },
    }));
    const READ_COMMITTED = 1;
    return this.ask(async (connection) => {
      const { transactionStates } = await listTransactionsV1.api.async(connection, [], [], -1n, null);
      const { topics } = await listOffsetsV7.api.async(connection, -1, READ_COMMITTED, [
        { name: topic, partitions: asked },
      ]);
      const isHidden = topics[0]?.partitions.every(({ offset }) => offset === 0n) === true;
      return isHidden && transactionStates.some(({ transactionState }) => transactionState === 'Ongoing');
    });
  }

  /** Everything that a reader of committed data sees in the topic up to its end, by partition in order. */
  async read(topic: string): Promise<readonly SeenRecord[]> {
    const admin = await this.asAdmin();
    const ends = await admin.fetchTopicOffsets(topic);
    // A reader would wait for the end of the first transaction.
    if (this.brokers.length === 1 && (await this.isAllOpen(topic, ends.length))) return [];
    // The last record may be a marker, which no reader is given; an own one behind it can be waited for.
    const marks = ends.map(({ partition }) => ({ partition, key: END_KEY, value: END_KEY }));
    const last = this.client.producer();
    await last.connect();
    for (const mark of marks) await last.send({ topic, acks: -1, messages: [mark] });
    await last.disconnect();
    const groupId = `reader-${randomUUID()}`;
    const consumer = this.client.consumer({ groupId, readUncommitted: false, maxWaitTimeInMs: 50 });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const seen: SeenRecord[] = [];
    // A consumer that had to join its group again begins again.
    const places = new Set<string>();
    let missing = ends.length;
    const high = new Map(ends.map(({ partition, high: offset }) => [partition, Number(offset)]));
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        reject(payload.error);
      });
      const reading = consumer.run({
        autoCommit: false,
        eachMessage: ({ partition, message }) => {
          const key = message.key?.toString() ?? null;
          const offset = Number(message.offset);
          if (places.has(`${partition}/${offset}`)) return Promise.resolve();
          places.add(`${partition}/${offset}`);
          if (key !== END_KEY) {
            const headers = Object.fromEntries(
              Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
            );
            seen.push({ partition, offset, key, value: message.value?.toString() ?? null, headers });
          } else if (offset >= (high.get(partition) as number) && --missing === 0) resolve();
          return Promise.resolve();
        },
      });
      reading.catch(reject);
    });
    await consumer.disconnect();
    // kafkajs expects aborted transactions in the order of their first records, and brokers list them in the order of
    // their markers. Where several producers abort at the same time, it delivers records that the log shows as aborted.
    const aborted = await this.aborted(topic);
    const isAborted = ({ partition, offset }: SeenRecord): boolean =>
      aborted.some((batch) => batch.partition === partition && batch.first <= offset && offset <= batch.last);
    return seen.filter((record) => !isAborted(record)).sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  }
}

/** The key of the records that `read` adds. */
export const END_KEY = '(end)';
