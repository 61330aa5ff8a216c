/**
 * A client port in memory, for specs of one worker: topics without transactions, and a group that assigns all partitions
 * to its only member. A spec replaces the methods that it is about.
 */
import type {
  CommittedOffset,
  Fetched,
  FetchRequest,
  GroupAnswer,
  GroupBeat,
  GroupMember,
  KafkaPort,
  NewBatch,
  NewRecord,
  NewTopic,
  OffsetPlace,
  ProducerIdentity,
  TopicDescription,
} from '#lib/connectors/kafka/port.js';

/** Longer than any spec. */
const NO_MORE_BEATS_MS = 60_000;

export class MemoryPort implements Partial<KafkaPort> {
  /** The epochs of all heartbeats. */
  readonly epochs: number[] = [];
  private readonly topics = new Map<string, TopicDescription>();
  private readonly logs = new Map<string, NewRecord[]>();

  /** This object as a complete port. A call of a missing method is an error of the spec. */
  get port(): KafkaPort {
    return this as unknown as KafkaPort;
  }

  /** The values of the records of partition 0, as JSON. */
  values(topic: string): unknown[] {
    return this.log(topic, 0).map(({ value }) => JSON.parse(Buffer.from(value ?? []).toString()) as unknown);
  }

  createTopic({ name, partitions }: NewTopic): Promise<boolean> {
    const isNew = !this.topics.has(name);
    if (isNew) this.topics.set(name, { name, id: `id of ${name}`, cluster: 'memory', partitions, copies: 1 });
    return Promise.resolve(isNew);
  }

  hasTopic(name: string): Promise<boolean> {
    return Promise.resolve(this.topics.has(name));
  }

  describe(name: string): Promise<TopicDescription> {
    return Promise.resolve(this.topics.get(name) as TopicDescription);
  }

  setting(): Promise<string | undefined> {
    return Promise.resolve(undefined);
  }

  offsets({ name, partitions }: TopicDescription, place: OffsetPlace): Promise<readonly number[]> {
    const of = (partition: number): number => (place === 'earliest' ? 0 : this.log(name, partition).length);
    return Promise.resolve([...new Array<undefined>(partitions).keys()].map(of));
  }

  leaders({ partitions }: TopicDescription): Promise<readonly number[]> {
    return Promise.resolve(new Array<number>(partitions).fill(1));
  }

  fetch(_leader: number, { topic, places }: FetchRequest): Promise<readonly Fetched[]> {
    return Promise.resolve(
      places.map(({ partition, offset: next }): Fetched => {
        const log = this.log(topic.name, partition);
        const records = log.slice(next).map((one, index) => ({ ...one, offset: next + index, timestamp: 0 }));
        return { kind: 'records', partition, records, next: log.length };
      }),
    );
  }

  write({ topic, partition, records }: NewBatch): Promise<void> {
    this.log(topic, partition).push(...records);
    return Promise.resolve();
  }

  committed(
    _group: string,
    _topic: TopicDescription,
    _which: 'stable' | 'current',
  ): Promise<ReadonlyMap<number, CommittedOffset>> {
    return Promise.resolve(new Map());
  }

  beginProducer(transactionalId: string): Promise<ProducerIdentity> {
    return Promise.resolve({ transactionalId, producerId: '1', epoch: 0 });
  }

  members(): Promise<readonly GroupMember[] | undefined> {
    return Promise.resolve(undefined);
  }

  transactions(): Promise<readonly never[]> {
    return Promise.resolve([]);
  }

  beat({ epoch, topic }: GroupBeat): Promise<GroupAnswer> {
    this.epochs.push(epoch);
    const assigned = [...new Array<undefined>(topic.partitions).keys()];
    return Promise.resolve({ kind: 'member', epoch: 1, beatEveryMs: NO_MORE_BEATS_MS, assigned });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private log(topic: string, partition: number): NewRecord[] {
    const place = `${topic}/${partition}`;
    const known = this.logs.get(place) ?? [];
    this.logs.set(place, known);
    return known;
  }
}
