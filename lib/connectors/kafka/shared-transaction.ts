/**
 * The transaction of a lane, as a sink of the same cluster uses it: its rows, the progress of the lane and everything
 * else that the lane writes become visible together.
 */
import { isDeepStrictEqual } from 'node:util';
import type { KafkaCluster } from './cluster.js';
import type { Compression, NewRecord, TopicDescription } from './port.js';

/** How rows are written. */
export interface RowFormat {
  readonly compression: Compression;
  /** The bytes of the largest batch that the topic accepts. */
  readonly maxBytes: number;
}

export interface SharedTransactionParts {
  readonly cluster: KafkaCluster;
  /** The id of the cluster, as its brokers know it. */
  readonly clusterId: string;
  /** Whether the lane has ended in this process, so that nothing can be written any more. */
  readonly isOver: () => boolean;
  /** Writes records within the transaction, each to the partition of its key. */
  readonly write: (topic: TopicDescription, records: readonly NewRecord[], format: RowFormat) => Promise<void>;
}

/** Marks the class. A workflow file and the bundled command have a copy of the class each. */
const BRAND = Symbol.for('millrace.shared-transaction');

export function isSharedTransaction(value: object): value is SharedTransaction {
  return BRAND in value;
}

export class SharedTransaction {
  readonly [BRAND] = true;
  private readonly parts: SharedTransactionParts;

  constructor(parts: SharedTransactionParts) {
    this.parts = parts;
  }

  get isOver(): boolean {
    return this.parts.isOver();
  }

  /** Whether the topic is in the cluster of the transaction, and the sink has the rights of the transaction. */
  reaches(cluster: KafkaCluster, topic: TopicDescription): boolean {
    const { clusterId } = this.parts;
    if (clusterId === '' || topic.cluster !== clusterId) return false;
    return isDeepStrictEqual(rightsIn(cluster), rightsIn(this.parts.cluster));
  }

  write(topic: TopicDescription, records: readonly NewRecord[], format: RowFormat): Promise<void> {
    return this.parts.write(topic, records, format);
  }
}

function rightsIn({ options: { tls, sasl } }: KafkaCluster): unknown {
  return { tls, sasl };
}
