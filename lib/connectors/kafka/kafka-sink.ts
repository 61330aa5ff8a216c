/**
 * A topic as a sink. Between two checkpoints of a run all rows belong to one transaction, which is committed once the
 * checkpoint is durable.
 *
 * Guarantees of 'exactly-once': a reader of committed data sees each row once, also after the run was killed and
 * resumed. A process that was replaced by another incarnation of the run cannot write. The transaction contains its own
 * name as the offset of a group, so a resumed run knows whether it was committed. If the broker has aborted it, the run
 * is not resumed, because its checkpoint counts the rows as written.
 *
 * In a lane of a workflow that is spread, the rows belong to the transaction of the lane, if that is in the same
 * cluster: then they are committed with the progress itself.
 */
import {
  callback,
  checkOptions,
  connectorSink,
  count,
  describeValue,
  flag,
  holdClock,
  madeBy,
  MillraceError,
  oneOf,
  TASK_RULES,
  text,
  type Clock,
  type ConnectorContext,
  type Dataset,
  type Json,
  type OptionRules,
  type RunOutcome,
  type Sink,
  type SinkPast,
  type SinkRows,
  type Task,
  type TaskOptions,
  taskOptionsOf,
} from '../../connect/index.js';
import { KafkaCluster } from './cluster.js';
import type { Compression, KafkaPort, NewRecord, ProducerClaim, ProducerIdentity, TopicDescription } from './port.js';
import { openClient } from './raw-client.js';
import { aSerde, json, openSerde, type Serde, type SerdeFactory } from './serde.js';
import { isSharedTransaction, type RowFormat, type SharedTransaction } from './shared-transaction.js';
import { weaknessOf } from './topic-safety.js';
import { bytesOf, TopicWriter } from './topic-writer.js';

/** Options of `kafkaSink`. */
export interface KafkaSinkOptions<In> extends TaskOptions<In, In> {
  /** The cluster, made by `kafka`. */
  readonly cluster: KafkaCluster;
  /** The topic, which must exist. */
  readonly topic: string;
  /** The format of values. Default `json()`, which writes a tombstone for null. */
  readonly value?: Serde<In> | SerdeFactory<In>;
  /** The key of a record. Records of one key are in one partition. Default: no key. */
  readonly key?: (record: In) => string | Uint8Array | null;
  /** The headers of a record. Default: none. */
  readonly headers?: (record: In) => Readonly<Record<string, string | Uint8Array>>;
  /**
   * 'exactly-once' (default): rows are written in transactions, and become visible at each checkpoint of the run.
   * 'at-least-once': each row is visible at once, and some are written again by a resumed run.
   */
  readonly guarantee?: 'exactly-once' | 'at-least-once';
  /**
   * The name under which transactions are written. Two runs with the same name cannot write at the same time. Default:
   * a name of this run and task.
   */
  readonly transactionalId?: string;
  /**
   * The most milliseconds of one transaction, and the time within which a run that died while it committed must be
   * resumed. Brokers accept at most their `transaction.max.timeout.ms`. Default 900,000.
   */
  readonly transactionTimeoutMs?: number;
  /** Default 'none'. 'zstd' needs Node 22.15. */
  readonly compression?: Compression;
  /** Writes in root order. Default true. */
  readonly ordered?: boolean;
}

const RULES: OptionRules<KafkaSinkOptions<unknown>> = {
  ...TASK_RULES,
  cluster: madeBy(KafkaCluster, 'kafka()'),
  topic: text,
  value: aSerde,
  key: callback,
  headers: callback,
  guarantee: oneOf('exactly-once', 'at-least-once'),
  transactionalId: text,
  transactionTimeoutMs: count(),
  compression: oneOf('none', 'gzip', 'snappy', 'lz4', 'zstd'),
  ordered: flag,
};

/** The largest batch that brokers accept by default. */
const DEFAULT_MAX_BYTES = 1_048_588;
const DEFAULT_TRANSACTION_TIMEOUT_MS = 900_000;

/**
 * Writes records to a topic, and emits those that were written. Throws MILLRACE_INVALID_OPTION for options that do not
 * fit.
 *
 * @example
 * const cluster = kafka({ brokers: ['localhost:9092'] });
 * kafkaSink({ cluster, topic: 'offers', key: (offer: Offer) => offer.memberId })
 */
export function kafkaSink<In = unknown>(options: KafkaSinkOptions<In>): Task<In, In> {
  checkOptions('a kafkaSink', options, RULES, ['cluster', 'topic']);
  return connectorSink<In, NewRecord>(topicSink(options), taskOptionsOf(options));
}

/** A topic as a `Sink`. `kafkaSink` makes it a task. */
export function topicSink<In>(options: KafkaSinkOptions<In>): TopicSink<In> {
  return options.guarantee === 'at-least-once' ? new PlainTopicSink(options) : new TransactionalTopicSink(options);
}

/** The common part of both guarantees: the connection, and the conversion of records to rows. */
export abstract class TopicSink<In> implements Sink<In, NewRecord> {
  readonly kind = 'kafka sink';
  readonly checkpointFormat = 'kafka sink';
  protected readonly options: KafkaSinkOptions<In>;
  protected client: KafkaPort | undefined;
  private value: Serde<In> = json<In>();
  protected topic: TopicDescription | undefined;
  protected writer: TopicWriter | undefined;
  protected maxBytes = DEFAULT_MAX_BYTES;
  private clock: Pick<Clock, 'hold'> = {};

  constructor(options: KafkaSinkOptions<In>) {
    this.options = options;
  }

  /** Two writers with the same transactional id would fence each other. */
  get isShareable(): boolean {
    return this.options.transactionalId === undefined;
  }

  get dataset(): Dataset {
    return { namespace: this.options.cluster.namespace, name: this.options.topic };
  }

  async open(context: ConnectorContext, past: SinkPast | undefined): Promise<undefined> {
    this.clock = context.clock;
    this.options.cluster.hideCredentials(context.secrets);
    await this.hold(this.connect(context, past));
    return undefined;
  }

  encode(record: In): NewRecord {
    const { topic, key, headers } = this.options;
    const own = key?.(record) ?? null;
    const row: NewRecord = {
      key: own === null ? null : this.bytesOf(own, '`key`'),
      value: this.value.serialize(record),
      headers: Object.entries(headers?.(record) ?? {}).map(([name, some]) => [
        name,
        this.bytesOf(some, `the header '${name}'`),
      ]),
    };
    const bytes = bytesOf(row);
    if (bytes <= this.maxBytes) return row;
    throw new MillraceError(
      'MILLRACE_INVALID_OUTPUT',
      `The record needs up to ${bytes} bytes, and topic '${topic}' accepts ${this.maxBytes} (its \`max.message.bytes\`)`,
    );
  }

  private bytesOf(given: unknown, what: string): Uint8Array {
    if (typeof given === 'string') return encoder.encode(given);
    if (given instanceof Uint8Array) return given;
    throw new MillraceError(
      'MILLRACE_INVALID_OUTPUT',
      `Expected ${what} of the kafkaSink of topic '${this.options.topic}' to be a text or bytes, got ${describeValue(given)}. Make a text of it, for example with String()`,
    );
  }

  write({ rows }: SinkRows<NewRecord>): Promise<void> {
    return this.hold((this.writer as TopicWriter).write(rows));
  }

  close(_outcome: RunOutcome): Promise<void> {
    return this.hold(this.disconnect());
  }

  /** Ends the connections, and nothing else. The state is then the same as after the death of the process. */
  async disconnect(): Promise<void> {
    const { client } = this;
    this.client = undefined;
    await client?.close();
  }

  /** The producer of this incarnation, if rows are written in transactions. */
  protected abstract begin(
    client: KafkaPort,
    context: ConnectorContext,
    past: SinkPast | undefined,
  ): Promise<ProducerIdentity | undefined>;

  protected hold<T>(work: Promise<T>): Promise<T> {
    return holdClock(this.clock, work);
  }

  protected writeAs(producer: ProducerIdentity | undefined): void {
    const { client, topic, format } = this;
    this.writer = new TopicWriter({
      client: client as KafkaPort,
      topic: topic as TopicDescription,
      ...format,
      producer,
    });
  }

  protected get format(): RowFormat {
    return { compression: this.options.compression ?? 'none', maxBytes: this.maxBytes };
  }

  private async connect(context: ConnectorContext, past: SinkPast | undefined): Promise<void> {
    const client = (this.client = await openClient(this.options.cluster));
    this.topic = await client.describe(this.options.topic);
    const maxBytes = await client.setting(this.options.topic, 'max.message.bytes');
    this.maxBytes = maxBytes === undefined ? DEFAULT_MAX_BYTES : Number(maxBytes);
    const { topic } = this.options;
    const { secrets, signal } = context;
    this.value = await openSerde(this.options.value ?? this.value, {
      topic,
      part: 'value',
      direction: 'write',
      secrets,
      signal,
    });
    if (this.options.guarantee !== 'at-least-once') {
      const weakness = await weaknessOf(client, this.topic);
      if (weakness !== undefined) context.notice(weakness);
    }
    this.writeAs(await this.begin(client, context, past));
  }
}

/** Rows outside of transactions. */
class PlainTopicSink<In> extends TopicSink<In> {
  protected begin(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

/** A prepared transaction, as a checkpoint stores it. */
interface PreparedTransaction {
  readonly [key: string]: Json;
  readonly transactionalId: string;
  readonly producerId: string;
  readonly epoch: number;
  /** The name of the transaction. */
  readonly name: string;
}

class TransactionalTopicSink<In> extends TopicSink<In> {
  private producer: ProducerIdentity | undefined;
  private prepared: PreparedTransaction | undefined;
  private count = 0;
  private context: ConnectorContext | undefined;
  private offered: SharedTransaction | undefined;
  /** The transaction of the lane, if the rows belong to it. Then there is nothing to prepare or to commit. */
  private shared: SharedTransaction | undefined;

  enlist(transaction: object): void {
    const { transactionalId, transactionTimeoutMs } = this.options;
    // The transactions that these options describe are those of the sink.
    if (transactionalId !== undefined || transactionTimeoutMs !== undefined) return;
    if (!isSharedTransaction(transaction)) return;
    if (this.offered?.isOver === false || this.client !== undefined) {
      throw new MillraceError(
        'MILLRACE_SPREAD',
        `The kafkaSink of topic '${this.options.topic}' is in two lanes at once, so rows of one would be committed with the progress of the other. Make it within \`build\`, which is called for each lane`,
      );
    }
    this.offered = transaction;
  }

  override write(rows: SinkRows<NewRecord>): Promise<void> {
    if (this.shared === undefined) return super.write(rows);
    return this.hold(this.shared.write(this.topic as TopicDescription, rows.rows, this.format));
  }

  async prepare(): Promise<Json | undefined> {
    if (this.writer?.hasWritten !== true) return undefined;
    return this.hold(this.name());
  }

  async commit(prepared: Json): Promise<void> {
    // `commit` may be called again for the same transaction.
    if (this.prepared === undefined || this.prepared.name !== (prepared as PreparedTransaction).name) return;
    await this.hold(this.end(true));
  }

  override close(outcome: RunOutcome): Promise<void> {
    return this.hold(this.finish(outcome));
  }

  protected async begin(
    client: KafkaPort,
    context: ConnectorContext,
    past: SinkPast | undefined,
  ): Promise<ProducerIdentity | undefined> {
    const { runId, task } = context;
    const { transactionalId = `millrace-${runId}-${task}` } = this.options;
    this.context = context;
    const prepared = past?.prepared as PreparedTransaction | undefined;
    if (prepared !== undefined) await this.commitAgain(client, prepared);
    const { offered } = this;
    this.offered = undefined;
    const isShared = offered?.reaches(this.options.cluster, this.topic as TopicDescription) === true;
    this.shared = isShared ? offered : undefined;
    if (past?.isAnew === true) {
      context.notice(`'${task}' writes all its rows again, and topic '${this.options.topic}' keeps the earlier ones`);
    }
    this.prepared = undefined;
    this.count = 0;
    if (this.shared !== undefined) return undefined;
    return (this.producer = await client.beginProducer(transactionalId, this.timeoutMs, this.claim()));
  }

  /**
   * A process that was suspended must not take the id back from its successor: that would abort a transaction which a
   * checkpoint of the successor counts.
   */
  private claim(after?: ProducerIdentity): ProducerClaim {
    return { after, assertOwned: () => this.context?.assertOwned?.() };
  }

  private get timeoutMs(): number {
    return this.options.transactionTimeoutMs ?? DEFAULT_TRANSACTION_TIMEOUT_MS;
  }

  /** Adds the name of the transaction to the transaction itself. */
  private async name(): Promise<PreparedTransaction> {
    const { topic } = this.options;
    const producer = this.producer as ProducerIdentity;
    const { transactionalId, producerId, epoch } = producer;
    const offset = ++this.count;
    const prepared = { transactionalId, producerId, epoch, name: `${producerId}/${epoch}/${offset}` };
    const offsets = new Map([[0, { offset, metadata: prepared.name }]]);
    await (this.client as KafkaPort).commitWithin(producer, transactionalId, topic, offsets);
    return (this.prepared = prepared);
  }

  private async end(isCommitted: boolean): Promise<void> {
    const client = this.client as KafkaPort;
    const producer = this.producer as ProducerIdentity;
    await client.endTransaction(producer, isCommitted);
    this.prepared = undefined;
    if (!isCommitted) return;
    // The next transaction has an epoch of its own. Otherwise a late request to commit this one, from this process or
    // from the next incarnation, could commit the rows of the next one before their checkpoint.
    this.producer = await client.beginProducer(producer.transactionalId, this.timeoutMs, this.claim(producer));
    this.count = 0;
    this.writeAs(this.producer);
  }

  /**
   * Commits the transaction that an earlier incarnation has prepared, unless it was committed already. The earlier
   * incarnation may still live, and be in its next transaction. That has another epoch, so this commit cannot end it.
   */
  private async commitAgain(client: KafkaPort, prepared: PreparedTransaction): Promise<void> {
    if (await this.wasCommitted(client, prepared, 'current')) return;
    try {
      await client.endTransaction(prepared, true);
    } catch (error) {
      // It was committed meanwhile, or the broker has aborted it. An open transaction of the earlier incarnation would
      // hold up the stable offset.
      if (await this.wasCommitted(client, prepared, 'current')) return;
      if (await this.wasCommitted(client, prepared, 'stable')) return;
      throw new MillraceError(
        'MILLRACE_RESUME',
        `The last transaction of '${prepared.transactionalId}' is lost: the run died before it was committed, and was not resumed within \`transactionTimeoutMs\` (${this.timeoutMs}), or another run used the same transactional id. Its rows are not in topic '${this.options.topic}', but the checkpoint counts them as written. Start a new run`,
        { cause: error },
      );
    }
  }

  private async wasCommitted(
    client: KafkaPort,
    prepared: PreparedTransaction,
    which: 'stable' | 'current',
  ): Promise<boolean> {
    const committed = await client.committed(prepared.transactionalId, this.topic as TopicDescription, which);
    return committed.get(0)?.metadata === prepared.name;
  }

  private async finish(_outcome: RunOutcome): Promise<void> {
    try {
      // A prepared transaction may be in a checkpoint, so it is kept for the next incarnation.
      if (this.prepared === undefined && this.writer?.hasWritten === true) await this.end(false);
    } catch {
      // The broker aborts the transaction when its time is over, or when the run is resumed.
    } finally {
      await this.disconnect();
    }
  }
}

const encoder = new TextEncoder();
