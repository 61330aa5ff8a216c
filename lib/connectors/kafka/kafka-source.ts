/**
 * A topic as a source. Each of its partitions is a partition of the source, and the number of a record is its offset,
 * so a record has the same identity in each run and in each process.
 *
 * Guarantees: only records of committed transactions are read. Memory does not depend on the size of the topic. The
 * failure policy ends a record that cannot be read as declared. A resumed run continues from its own checkpoint; a new
 * run continues from the offset that its group has committed, and skips the records above it that are done.
 */
import {
  anObject,
  checkOptions,
  connectorSource,
  either,
  holdClock,
  madeBy,
  MillraceError,
  oneOf,
  callback,
  count,
  Rejected,
  SOURCE_RULES,
  text,
  type ConnectorContext,
  type Dataset,
  type Json,
  type OptionRules,
  type PartitionProgress,
  type Source,
  type SourceOptions,
  type SourcePartition,
  type SourcePast,
  type SourceRead,
  type SourceTask,
  taskOptionsOf,
} from '../../connect/index.js';
import { KafkaCluster } from './cluster.js';
import { doneText } from './done-text.js';
import type { CommittedOffset, KafkaPort, RawRecord, TopicDescription } from './port.js';
import { openClient } from './raw-client.js';
import { aSerde, json, openSerde, string, type Serde, type SerdeFactory } from './serde.js';
import { checkOffsets, startsOf, type KafkaStart, type KeptStart, type PartitionStart } from './source-start.js';
import { TopicReader, type OffsetLostPolicy, type PartitionReader } from './topic-reader.js';

/** A record of a topic, with all the data that Kafka stores with it. */
export interface KafkaRecord<Value, Key = string | null> {
  /** The name of the topic. */
  readonly topic: string;
  /** The number of the partition. */
  readonly partition: number;
  /** The place of the record in its partition. */
  readonly offset: number;
  /** When it was made, or when the broker stored it, by the setting of the topic; milliseconds since 1970. */
  readonly timestamp: number;
  /** The key, as `key` of the source reads it. */
  readonly key: Key;
  /** The value, as `value` of the source reads it. */
  readonly value: Value;
  /** The headers in their order. A name may occur more than once. */
  readonly headers: readonly (readonly [string, Uint8Array | null])[];
}

/** Options of `kafkaSource`. */
export interface KafkaSourceOptions<Out, Value = Out, Key = string | null> extends SourceOptions<Out> {
  /** The cluster, made by `kafka`. */
  readonly cluster: KafkaCluster;
  /** The topic. */
  readonly topic: string;
  /** The format of values. Default `json()`. */
  readonly value?: Serde<Value> | SerdeFactory<Value>;
  /** The format of keys, for `record`. Default `string()`. */
  readonly key?: Serde<Key> | SerdeFactory<Key>;
  /** Makes the record of the workflow. Default: the value. If it throws, the failure policy ends the record. */
  readonly record?: (record: KafkaRecord<Value, Key>) => Out;
  /**
   * The group under which progress is committed to the cluster, so that a later run continues from it and lag can be
   * watched. Default: none; then progress is kept only in the checkpoints of the run.
   */
  readonly groupId?: string;
  /** Where a new run begins. Default 'committed' with a `groupId`, otherwise 'earliest'. A resumed run ignores it. */
  readonly from?: KafkaStart;
  /** Where 'committed' begins if the group has committed nothing. Default 'earliest'. */
  readonly startWhenNew?: 'earliest' | 'latest';
  /**
   * What happens if the next record was removed before it was read, by retention or because the topic was truncated.
   * 'stop' fails the run and names the gap (default). 'earliest' and 'latest' report it and continue there.
   */
  readonly onOffsetLost?: OffsetLostPolicy;
  /**
   * 'end': the run ends with the last record that was stored when it started, and waits for transactions that were open
   * then. A resumed run keeps that end for each partition from which a record has settled. 'stopped' (default): it goes
   * on until it is stopped.
   */
  readonly until?: 'end' | 'stopped';
  /** How long a broker waits for new records, in milliseconds. Default 500. */
  readonly maxWaitMs?: number;
}

const RULES: OptionRules<KafkaSourceOptions<unknown>> = {
  ...SOURCE_RULES,
  cluster: madeBy(KafkaCluster, 'kafka()'),
  topic: text,
  value: aSerde,
  key: aSerde,
  record: callback,
  groupId: text,
  from: either(oneOf('committed', 'earliest', 'latest'), anObject),
  startWhenNew: oneOf('earliest', 'latest'),
  onOffsetLost: oneOf('stop', 'earliest', 'latest'),
  until: oneOf('end', 'stopped'),
  maxWaitMs: count(),
};

/**
 * Reads a topic; its values are the records. Throws MILLRACE_INVALID_OPTION for options that do not fit.
 *
 * @example
 * const cluster = kafka({ brokers: ['localhost:9092'] });
 * kafkaSource({ cluster, topic: 'members', until: 'end', value: json(Member) })
 */
export function kafkaSource<Value = unknown>(
  options: Omit<KafkaSourceOptions<Value, Value, never>, 'record'>,
): SourceTask<Value>;
/** Reads a topic; `record` makes the records. Throws MILLRACE_INVALID_OPTION for options that do not fit. */
export function kafkaSource<Out, Value = unknown, Key = string | null>(
  options: KafkaSourceOptions<Out, Value, Key> & Required<Pick<KafkaSourceOptions<Out, Value, Key>, 'record'>>,
): SourceTask<Out>;
export function kafkaSource<Out, Value, Key>(options: KafkaSourceOptions<Out, Value, Key>): SourceTask<Out> {
  checkOptions('a kafkaSource', options, RULES, ['cluster', 'topic']);
  const { from, groupId } = options;
  if (from === 'committed' && groupId === undefined) {
    throw new MillraceError('MILLRACE_INVALID_OPTION', "A kafkaSource with `from: 'committed'` needs a `groupId`");
  }
  return connectorSource(new KafkaSource(options), taskOptionsOf(options));
}

/** A topic as a `Source`. `kafkaSource` makes it a task. */
export class KafkaSource<Out, Value, Key> implements Source<Out> {
  readonly kind = 'kafka source';
  readonly checkpointFormat = 'kafka source';
  readonly isPartitioned = true;
  private readonly options: KafkaSourceOptions<Out, Value, Key>;
  private value: Serde<Value> = json<Value>();
  private key: Serde<Key> = string() as Serde<unknown> as Serde<Key>;
  private client: KafkaPort | undefined;
  private reader: TopicReader | undefined;
  private signal: AbortSignal | undefined;
  private readonly stop = (): void => {
    this.reader?.close();
  };
  private partitions: readonly TopicPartition<Out>[] = [];
  private committed = new Map<number, string>();

  constructor(options: KafkaSourceOptions<Out, Value, Key>) {
    this.options = options;
  }

  get dataset(): Dataset {
    return { namespace: this.options.cluster.namespace, name: this.options.topic };
  }

  /** The same for two clients of one topic, and different once the topic was deleted and created again. */
  async identify(): Promise<Json> {
    const client = await openClient(this.options.cluster);
    try {
      const { cluster, id } = await client.describe(this.options.topic);
      return { cluster, topic: this.options.topic, id };
    } finally {
      await client.close();
    }
  }

  async start({ clock }: ConnectorContext): Promise<Json | undefined> {
    // The place of the first record does not depend on the time of the start.
    if (this.from === 'earliest') return undefined;
    return holdClock(clock, this.findStart());
  }

  async open(
    context: ConnectorContext,
    past: SourcePast | undefined,
    start?: Json,
  ): Promise<readonly SourcePartition<Out>[]> {
    this.options.cluster.hideCredentials(context.secrets);
    return holdClock(context.clock, this.connect(past, context, start as readonly KeptStart[] | undefined));
  }

  async settled(progress: readonly PartitionProgress[]): Promise<void> {
    const { groupId, topic } = this.options;
    if (groupId === undefined || this.client === undefined) return;
    const offsets = new Map<number, CommittedOffset>();
    for (const { partition, watermark, done } of progress) {
      const offset = this.partitions.find((one) => one.partition === partition)?.settledUpTo(watermark) ?? watermark;
      const metadata = doneText(offset, done);
      const state = `${offset} ${metadata}`;
      if (this.committed.get(partition) === state) continue;
      this.committed.set(partition, state);
      offsets.set(partition, { offset, metadata });
    }
    if (offsets.size > 0) await this.client.commit(groupId, topic, offsets);
  }

  async close(): Promise<void> {
    this.signal?.removeEventListener('abort', this.stop);
    this.reader?.close();
    await this.client?.close();
    this.client = undefined;
  }

  private get from(): KafkaStart {
    return this.options.from ?? (this.options.groupId === undefined ? 'earliest' : 'committed');
  }

  private async findStart(): Promise<Json> {
    const { cluster, topic: name } = this.options;
    const client = await openClient(cluster);
    try {
      const topic = await client.describe(name);
      checkOffsets(this.from, topic);
      const starts = await this.startsIn(client, topic, undefined);
      return starts.map(({ from, done }) => ({ from, done }));
    } finally {
      await client.close();
    }
  }

  private startsIn(
    client: KafkaPort,
    topic: TopicDescription,
    past: SourcePast | undefined,
    kept?: readonly KeptStart[],
  ): Promise<readonly PartitionStart[]> {
    const { groupId, startWhenNew = 'earliest' } = this.options;
    return startsOf({ client, topic, past, from: this.from, startWhenNew, groupId, kept });
  }

  private async connect(
    past: SourcePast | undefined,
    context: ConnectorContext,
    kept: readonly KeptStart[] | undefined,
  ): Promise<readonly SourcePartition<Out>[]> {
    const notice = (message: string): void => {
      context.notice(message);
    };
    const { options } = this;
    const { cluster, onOffsetLost = 'stop', until, maxWaitMs = 500 } = options;
    this.committed = new Map();
    const use = { topic: options.topic, direction: 'read', secrets: context.secrets, signal: context.signal } as const;
    this.value = await openSerde(options.value ?? this.value, { ...use, part: 'value' });
    if (options.record !== undefined) this.key = await openSerde(options.key ?? this.key, { ...use, part: 'key' });
    const client = (this.client = await openClient(cluster));
    const topic = await client.describe(options.topic);
    checkOffsets(this.from, topic);
    const starts = await this.startsIn(client, topic, past, kept);
    const ends = until === 'end' ? await client.offsets(topic, 'end') : [];
    const { timeoutMs } = cluster.options;
    const reader = (this.reader = new TopicReader({ client, topic, onOffsetLost, timeoutMs, maxWaitMs, notice }));
    this.signal = context.signal;
    this.signal.addEventListener('abort', this.stop);
    this.partitions = starts.map((start, partition) => {
      const partitionReader = reader.open(partition, start.from, start.end ?? ends[partition]);
      return new TopicPartition(partitionReader, start, until === 'end', {
        load: (records) => this.load(records),
        recordOf: (record) => this.recordOf(partition, record),
      });
    });
    return this.partitions;
  }

  /** Loads the schemas that the formats need for these records; undefined if none is missing. */
  private load(records: readonly RawRecord[]): Promise<unknown> | undefined {
    const { value, key } = this;
    const { record } = this.options;
    const loading: Promise<void>[] = [];
    for (const raw of records) {
      const missing = [value.load?.(raw.value), record === undefined ? undefined : key.load?.(raw.key)];
      for (const one of missing) if (one !== undefined) loading.push(one);
    }
    return loading.length === 0 ? undefined : Promise.all(loading);
  }

  private recordOf(partition: number, raw: RawRecord): Out | Rejected {
    const { topic, record } = this.options;
    const { offset, timestamp, headers } = raw;
    try {
      const own = this.value.deserialize(raw.value);
      if (record === undefined) return own as unknown as Out;
      const named = this.key.deserialize(raw.key);
      return record({ topic, partition, offset, timestamp, key: named, value: own, headers });
    } catch (error) {
      const input = { topic, partition, offset, key: textOf(raw.key), value: textOf(raw.value) };
      return new Rejected(input, error);
    }
  }
}

/** How the records of a partition become records of the workflow. */
interface Reading<Out> {
  load(records: readonly RawRecord[]): Promise<unknown> | undefined;
  recordOf(record: RawRecord): Out | Rejected;
}

/** One partition of a topic. */
class TopicPartition<Out> implements SourcePartition<Out> {
  readonly partition: number;
  readonly from: number;
  private readonly reader: PartitionReader;
  private readonly isBounded: boolean;
  private readonly end: number | undefined;
  private readonly reading: Reading<Out>;
  /** The records above the beginning that are done: [from, to) pairs. Those before `doneAt` were passed. */
  private readonly done: readonly number[];
  private doneAt = 0;
  /** The number after the last record that the run has received. */
  private last: number;

  constructor(reader: PartitionReader, { from, done }: PartitionStart, isBounded: boolean, reading: Reading<Out>) {
    this.partition = reader.partition;
    this.from = this.last = from;
    this.reader = reader;
    this.done = done;
    this.isBounded = isBounded;
    this.end = reader.end === Infinity ? undefined : reader.end;
    this.reading = reading;
  }

  read(max: number): SourceRead<Out> | null | Promise<SourceRead<Out> | null> {
    const some = this.reader.read(max);
    return some instanceof Promise ? some.then((read) => this.loaded(read, max)) : this.loaded(some, max);
  }

  share(): number | undefined {
    if (this.end === undefined) return undefined;
    return this.end <= this.from ? 1 : Math.min(1, (this.reader.given - this.from) / (this.end - this.from));
  }

  close(): void {
    this.reader.close();
  }

  /**
   * The offset to commit for this watermark. If all records that the run has received have settled, it is after the
   * markers and gaps that follow them.
   */
  settledUpTo(watermark: number): number {
    return watermark < this.last ? watermark : Math.max(watermark, this.reader.given);
  }

  private loaded(
    read: readonly RawRecord[] | null,
    max: number,
  ): SourceRead<Out> | null | Promise<SourceRead<Out> | null> {
    const loading = read === null ? undefined : this.reading.load(read);
    const next = (): SourceRead<Out> | null | Promise<SourceRead<Out> | null> => {
      const made = this.made(read);
      // All of them were done by an earlier run.
      return made?.records.length === 0 ? this.read(max) : made;
    };
    return loading === undefined ? next() : loading.then(next);
  }

  private made(read: readonly RawRecord[] | null): SourceRead<Out> | null {
    if (read === null) return null;
    const fresh = this.done.length === 0 ? read : read.filter(({ offset }) => !this.isDone(offset));
    const [first] = fresh;
    if (first === undefined) return { records: [] };
    this.last = (fresh.at(-1) as RawRecord).offset + 1;
    const records = fresh.map((record) => this.reading.recordOf(record));
    const numbers = fresh.map(({ offset }) => offset);
    if (!this.isBounded) return { records, numbers };
    return { records, numbers, position: { lineage: first.offset, end: this.end as number } };
  }

  private isDone(offset: number): boolean {
    while ((this.done[this.doneAt + 1] ?? Infinity) <= offset) this.doneAt += 2;
    return offset >= (this.done[this.doneAt] ?? Infinity);
  }
}

/** The text of bytes, for dead letters. Bytes that are not UTF-8 become replacement characters. */
function textOf(some: Uint8Array | null): string | null {
  return some === null ? null : new TextDecoder().decode(some);
}
