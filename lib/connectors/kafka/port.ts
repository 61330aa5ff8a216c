/**
 * The port to a Kafka client: single requests of the protocol, each repeated while that is safe.
 *
 * Guarantees of an implementation: a call rejects with MILLRACE_KAFKA for an answer that no repetition changes, and
 * with MILLRACE_NETWORK once the cluster could not be reached for its `timeoutMs`. It repeats only requests whose
 * repetition has no effect: batches carry sequence numbers, by which the broker recognises them. Offsets are numbers:
 * 2^53 is enough for 285 years of a million records per second. After `close` every call rejects, including those in
 * progress.
 */

/** A topic as the brokers describe it. */
export interface TopicDescription {
  readonly name: string;
  /** It differs if the topic was deleted and created again. */
  readonly id: string;
  /** The id of the cluster. */
  readonly cluster: string;
  readonly partitions: number;
  /** The number of copies of the partition that has the fewest. */
  readonly copies: number;
}

/**
 * The place whose offset is requested: the first record; the end of what readers of committed data can see ('latest');
 * the end of what is stored, open transactions included ('end'); or the first record at or after a time in
 * milliseconds.
 */
export type OffsetPlace = 'earliest' | 'latest' | 'end' | { readonly timestamp: number };

/** A record in a partition. The bytes belong to a large buffer, so copy them if you keep them. */
export interface RawRecord {
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [string, Uint8Array | null])[];
}

/** The place from which one partition is fetched. */
export interface FetchPlace {
  readonly partition: number;
  readonly offset: number;
}

export interface FetchRequest {
  readonly topic: TopicDescription;
  readonly places: readonly FetchPlace[];
  /** How long the broker waits for a first record. */
  readonly maxWaitMs: number;
  readonly maxBytesPerPartition: number;
}

/** The result of a fetch for one partition. */
export type Fetched = FetchedRecords | LostOffset | MovedPartition;

/** Fetched records: only those of committed transactions, and those outside of transactions. */
export interface FetchedRecords {
  readonly kind: 'records';
  readonly partition: number;
  readonly records: readonly RawRecord[];
  /** The offset from which to fetch next. It may advance without records, over aborted ones and markers. */
  readonly next: number;
}

/** The requested offset does not exist: retention removed it, or the topic is shorter. */
export interface LostOffset {
  readonly kind: 'lost';
  readonly partition: number;
}

/** The broker did not answer, or does not lead the partition any more. */
export interface MovedPartition {
  readonly kind: 'moved';
  readonly partition: number;
  readonly error: unknown;
}

/** The offset that a group has committed for a partition. */
export interface CommittedOffset {
  readonly offset: number;
  readonly metadata: string;
}

/**
 * The identity under which one incarnation of a producer writes. A later one with the same transactional id fences it.
 */
export interface ProducerIdentity {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly epoch: number;
}

/** A record to be written. */
export interface NewRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [string, Uint8Array])[];
}

/** How batches are compressed. */
export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** Records for one partition, which are stored together. */
export interface NewBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly NewRecord[];
  readonly compression: Compression;
  /** Without a producer the batch is not in a transaction, and a repeated request may store it twice. */
  readonly producer?: ProducerIdentity;
  /** The number of records that this producer has written to the partition before. */
  readonly sequence: number;
}

/** A topic to be created. */
export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  /** The copies of each partition; undefined: as many as the brokers make by default. */
  readonly replicationFactor: number | undefined;
  readonly settings: Readonly<Record<string, string>>;
}

/** A heartbeat of a member of a group, in the protocol of KIP-848. */
export interface GroupBeat {
  readonly group: string;
  /** Chosen by the member, and the same in each of its heartbeats. */
  readonly member: string;
  /** 0 joins the group; -1 leaves it; otherwise the epoch of the last answer. */
  readonly epoch: number;
  /** The topic whose partitions the group divides. */
  readonly topic: TopicDescription;
  /** The partitions that the member works on. A partition that is missing here may be assigned to another member. */
  readonly owned: readonly number[];
  /** How long the member may keep partitions that it should give up. */
  readonly rebalanceTimeoutMs: number;
}

/** The answer to a heartbeat. */
export type GroupAnswer =
  | {
      readonly kind: 'member';
      readonly epoch: number;
      readonly beatEveryMs: number;
      /** The partitions that the member should have; undefined if that has not changed. */
      readonly assigned: readonly number[] | undefined;
    }
  /** The group has expelled the member: it owns no partitions any more, and may join again. */
  | { readonly kind: 'expelled' };

/** A member of a group, as the coordinator of the group knows it. */
export interface GroupMember {
  /** Chosen by the member. */
  readonly member: string;
  /** The address that it connects from. */
  readonly host: string;
  /** The partitions that it has. */
  readonly owned: readonly number[];
  /** The partitions that it should have: those that others must give up first are not in `owned` yet. */
  readonly wanted: readonly number[];
}

/** A transactional id that the brokers know. */
export interface KnownTransaction {
  readonly transactionalId: string;
  /** Whether a transaction of it has begun and not ended. */
  readonly isOpen: boolean;
}

/** Why a producer may begin. */
export interface ProducerClaim {
  /** The producer whose next epoch begins. Brokers may abort an open transaction of its successor all the same. */
  readonly after?: ProducerIdentity | undefined;
  /** Called directly before each request. Throws if another process may have the id. */
  readonly assertOwned?: (() => void) | undefined;
}

export interface KafkaPort {
  /** Resolves with false if the topic exists already. */
  createTopic(topic: NewTopic): Promise<boolean>;
  /** Resolves with false if there is no such topic. */
  deleteTopic(name: string): Promise<boolean>;
  /** Whether there is a topic with this name. */
  hasTopic(name: string): Promise<boolean>;
  /** Sends a heartbeat once, and does not repeat it. Needs brokers of Kafka 4.0. */
  beat(beat: GroupBeat): Promise<GroupAnswer>;
  /** Whether a group in the protocol of KIP-848 has members. A member that died counts until its session ends. */
  hasMembers(group: string): Promise<boolean>;
  /**
   * The members of a group in the protocol of KIP-848, with their partitions of the topic; undefined if there is no such
   * group. A member that died is one of them until its session ends.
   */
  members(group: string, topicId: string): Promise<readonly GroupMember[] | undefined>;
  /** The milliseconds after which a silent member is expelled; undefined if this client may not read that. */
  sessionMs(group: string): Promise<number | undefined>;
  /** Rejects with MILLRACE_KAFKA if the topic does not exist. */
  describe(topic: string): Promise<TopicDescription>;
  /** The value of a setting of the topic; undefined if this client may not read it. */
  setting(topic: string, name: string): Promise<string | undefined>;
  /** The offset of each partition; -1 if there is no record at or after the time. */
  offsets(topic: TopicDescription, place: OffsetPlace): Promise<readonly number[]>;
  /** The leader of each partition; asks the brokers again if `isStale`. */
  leaders(topic: TopicDescription, isStale: boolean): Promise<readonly number[]>;
  /** Fetches once from partitions of one leader. */
  fetch(leader: number, request: FetchRequest): Promise<readonly Fetched[]>;
  /**
   * The offsets that the group has committed, by partition. 'stable' waits for the end of a transaction that is about
   * to change it, 'current' ignores such a transaction.
   *
   * @param partitions default: all. A 'stable' request waits for the transactions of all partitions that it asks for.
   */
  committed(
    group: string,
    topic: TopicDescription,
    which: 'stable' | 'current',
    partitions?: readonly number[],
  ): Promise<ReadonlyMap<number, CommittedOffset>>;
  commit(group: string, topic: string, offsets: ReadonlyMap<number, CommittedOffset>): Promise<void>;
  /**
   * Fences earlier producers of the id and ends their transaction: it is aborted unless its end has begun.
   *
   * With `after`, rejects with MILLRACE_LOCKED if another producer has fenced that one.
   */
  beginProducer(
    transactionalId: string,
    transactionTimeoutMs: number,
    claim?: ProducerClaim,
  ): Promise<ProducerIdentity>;
  /** Must precede the first batch of a transaction for a partition. */
  addPartitions(producer: ProducerIdentity, topic: string, partitions: readonly number[]): Promise<void>;
  write(batch: NewBatch): Promise<void>;
  /** Commits an offset as part of the transaction. */
  commitWithin(
    producer: ProducerIdentity,
    group: string,
    topic: string,
    offsets: ReadonlyMap<number, CommittedOffset>,
  ): Promise<void>;
  /**
   * Ends the transaction. Resolves with whether a request of the transaction was repeated without an answer: then the
   * producer must not be used any more, because a delayed request of it could end a later transaction, or overwrite its
   * offsets.
   */
  endTransaction(producer: ProducerIdentity, isCommitted: boolean): Promise<{ readonly wasRepeated: boolean }>;
  /** The transactional ids that the brokers know. */
  transactions(): Promise<readonly KnownTransaction[]>;
  /** Closes all connections. */
  close(): Promise<void>;
}
