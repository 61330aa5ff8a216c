/**
 * Writes records to a topic, in batches per partition.
 *
 * Guarantees: the records of a partition are stored in the order in which they were given. One batch per partition is
 * outstanding, so that its sequence number, by which the broker recognises a repeated batch, is certain.
 */
import { partitionOf } from '../../connect/index.js';
import type { Compression, KafkaPort, NewRecord, ProducerIdentity, TopicDescription } from './port.js';

/** The bytes that a batch needs beside its records. */
const BATCH_OVERHEAD = 100;
/** The bytes that a record, or one of its headers, needs at most beside its contents. */
const RECORD_OVERHEAD = 40;
const HEADER_OVERHEAD = 10;
/** The largest batch that is made, even if the topic accepts larger ones. */
const MAX_BATCH_BYTES = 512 * 1024;

export interface TopicWriterParts {
  readonly client: Pick<KafkaPort, 'addPartitions' | 'write'>;
  readonly topic: TopicDescription;
  readonly compression: Compression;
  /** The bytes of the largest batch that the topic accepts. */
  readonly maxBytes: number;
  /** Undefined: batches belong to no transaction. */
  readonly producer: ProducerIdentity | undefined;
}

export class TopicWriter {
  private readonly parts: TopicWriterParts;
  /** By partition: the number of records that this producer has written. */
  private readonly sequences = new Map<number, number>();
  /** The partitions that take part in the current transaction. */
  private joined = new Set<number>();
  /** The partition of the next records without a key: they fill one batch, instead of a small one per partition. */
  private turn = 0;

  constructor(parts: TopicWriterParts) {
    this.parts = parts;
  }

  /** Whether records were written since the last transaction ended. */
  get hasWritten(): boolean {
    return this.joined.size > 0;
  }

  /**
   * @param partition the partition of all records. Default: that of the key of each.
   * @param compression default: that of the writer.
   */
  async write(records: readonly NewRecord[], partition?: number, compression = this.parts.compression): Promise<void> {
    const { client, topic, producer } = this.parts;
    const byPartition = partition === undefined ? this.divided(records) : new Map([[partition, records]]);
    if (producer !== undefined) {
      const fresh = [...byPartition.keys()].filter((partition) => !this.joined.has(partition));
      if (fresh.length > 0) await client.addPartitions(producer, topic.name, fresh);
    }
    for (const partition of byPartition.keys()) this.joined.add(partition);
    const writing = [...byPartition].map(([partition, own]) => this.writeTo(partition, own, compression));
    // Waits for all of them, also if one has failed: no batch may arrive after the transaction was aborted.
    await Promise.allSettled(writing);
    await Promise.all(writing);
  }

  /** The next record belongs to another transaction. */
  endTransaction(): void {
    this.joined = new Set();
  }

  private async writeTo(partition: number, records: readonly NewRecord[], compression: Compression): Promise<void> {
    const { client, topic, producer, maxBytes } = this.parts;
    for (const some of batchesOf(records, Math.min(maxBytes, MAX_BATCH_BYTES))) {
      const sequence = this.sequences.get(partition) ?? 0;
      await client.write({
        topic: topic.name,
        partition,
        records: some,
        compression,
        sequence,
        ...(producer === undefined ? {} : { producer }),
      });
      this.sequences.set(partition, sequence + some.length);
    }
  }

  private divided(records: readonly NewRecord[]): Map<number, NewRecord[]> {
    const { partitions } = this.parts.topic;
    const byPartition = new Map<number, NewRecord[]>();
    this.turn = (this.turn + 1) % partitions;
    for (const record of records) {
      const partition = record.key === null ? this.turn : partitionOf(record.key, partitions);
      const own = byPartition.get(partition);
      if (own === undefined) byPartition.set(partition, [record]);
      else own.push(record);
    }
    return byPartition;
  }
}

/** The most bytes that a batch of this record alone can have. */
export function bytesOf({ key, value, headers }: NewRecord): number {
  const inHeaders = headers.reduce((sum, [name, bytes]) => sum + 3 * name.length + bytes.length + HEADER_OVERHEAD, 0);
  return BATCH_OVERHEAD + RECORD_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0) + inHeaders;
}

function* batchesOf(records: readonly NewRecord[], maxBytes: number): Generator<readonly NewRecord[]> {
  let batch: NewRecord[] = [];
  let size = 0;
  for (const record of records) {
    const bytes = bytesOf(record);
    if (batch.length > 0 && size + bytes > maxBytes) {
      yield batch;
      batch = [];
      size = 0;
    }
    batch.push(record);
    size += bytes;
  }
  if (batch.length > 0) yield batch;
}
