/**
 * The transactions of one lane: its outputs and its progress become visible together.
 *
 * Guarantees: `begin` fences every earlier owner of the lane and ends its transaction; an owner that was fenced never
 * becomes the owner again. Writes to one topic are stored
 * in the order of the calls. If a request of a transaction was repeated because it was not answered, the next
 * transaction has a new epoch, so a late request cannot change it.
 */
import type {
  CommittedOffset,
  KafkaPort,
  NewRecord,
  ProducerIdentity,
  TopicDescription,
} from '../connectors/kafka/port.js';
import type { RowFormat } from '../connectors/kafka/shared-transaction.js';
import { TopicWriter } from '../connectors/kafka/topic-writer.js';
import { MillraceError } from '../model/errors.js';

/** The most milliseconds of a transaction, unless the options of the workers say otherwise. */
export const DEFAULT_TRANSACTION_TIMEOUT_MS = 60_000;
/** The largest record and batch of the topics of a run. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;
const OWN_FORMAT: RowFormat = { compression: 'none', maxBytes: MAX_RECORD_BYTES };

export interface LaneTransactionParts {
  readonly client: KafkaPort;
  readonly transactionalId: string;
  /** The group that keeps the offsets. */
  readonly group: string;
  /** The most milliseconds of one transaction. */
  readonly timeoutMs: number;
}

/** Offsets by topic and partition. */
export type Offsets = ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>>;

export class LaneTransaction {
  private readonly parts: LaneTransactionParts;
  private producer: ProducerIdentity | undefined;
  private writers = new Map<string, TopicWriter>();
  /** By topic: the last write. The next write waits for it. */
  private readonly writing = new Map<string, Promise<void>>();
  private adding: Promise<void> = Promise.resolve();
  private hasOpened = false;
  private hasClosed = false;

  constructor(parts: LaneTransactionParts) {
    this.parts = parts;
  }

  /** Becomes the owner of the lane. */
  begin(): Promise<void> {
    return this.beginAfter(undefined);
  }

  /** Nothing is written any more. */
  close(): void {
    this.hasClosed = true;
  }

  get isClosed(): boolean {
    return this.hasClosed;
  }

  /** Whether something was written since the last end. */
  get isOpen(): boolean {
    return this.hasOpened;
  }

  /**
   * Writes records, each to the partition of its key, or all to `partition`.
   *
   * @param format default: that of the topics of a run. The largest batch of a topic is that of its first write.
   */
  write(
    topic: TopicDescription,
    records: readonly NewRecord[],
    partition?: number,
    { compression, maxBytes }: RowFormat = OWN_FORMAT,
  ): Promise<void> {
    this.hasOpened = true;
    const before = this.writing.get(topic.name) ?? Promise.resolve();
    // A failed write has failed the lane, and nothing may follow it.
    const written = before.then(() => this.writerOf(topic, maxBytes).write(records, partition, compression));
    written.catch(() => undefined);
    this.writing.set(topic.name, written);
    return written;
  }

  /** Commits the transaction, together with these offsets. */
  async commit(offsets: Offsets): Promise<void> {
    const { client, group } = this.parts;
    await Promise.all(this.writing.values());
    for (const [topic, own] of offsets) {
      if (own.size > 0) await client.commitWithin(this.owner, group, topic, own);
    }
    const { wasRepeated } = await client.endTransaction(this.owner, true);
    for (const writer of this.writers.values()) writer.endTransaction();
    this.hasOpened = false;
    if (wasRepeated) await this.beginAfter(this.owner);
  }

  /** Discards the writes since the last end. Never rejects, because the next owner discards them as well. */
  async abort(): Promise<void> {
    await Promise.allSettled(this.writing.values());
    if (this.producer === undefined || !this.hasOpened) return;
    await this.parts.client.endTransaction(this.producer, false).catch(() => undefined);
    this.hasOpened = false;
  }

  /** @param former the producer whose next epoch begins, unless another owner has fenced it. Undefined: any. */
  private async beginAfter(former: ProducerIdentity | undefined): Promise<void> {
    const { client, transactionalId, timeoutMs } = this.parts;
    this.producer = await client.beginProducer(transactionalId, timeoutMs, { after: former });
    this.writers = new Map();
    this.hasOpened = false;
  }

  private get owner(): ProducerIdentity {
    if (this.producer !== undefined) return this.producer;
    throw new MillraceError('MILLRACE_LOCKED', `'${this.parts.transactionalId}' does not own its lane`);
  }

  private writerOf(topic: TopicDescription, maxBytes: number): TopicWriter {
    const known = this.writers.get(topic.name);
    if (known !== undefined) return known;
    const { client } = this.parts;
    const made = new TopicWriter({
      client: {
        write: (batch) => client.write(batch),
        // Brokers make two simultaneous requests of one transaction wait for each other.
        addPartitions: (producer, name, partitions) => {
          const adding = this.adding.then(() => client.addPartitions(producer, name, partitions));
          this.adding = adding.catch(() => undefined);
          return adding;
        },
      },
      topic,
      compression: 'none',
      maxBytes,
      producer: this.owner,
    });
    this.writers.set(topic.name, made);
    return made;
  }
}
