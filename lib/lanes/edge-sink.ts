/**
 * A topic between two stages, as a sink of the lanes in front of it. It writes within the transaction of the lane.
 *
 * Guarantees: between the collection of the positions of a checkpoint and the end of its transaction, nothing is written.
 */
import type { Sink, SinkRows } from '../connect/index.js';
import { bytesOf } from '../connectors/kafka/topic-writer.js';
import type { NewRecord, TopicDescription } from '../connectors/kafka/port.js';
import { MillraceError } from '../model/errors.js';
import type { Dataset } from '../model/events.js';
import type { LaneTransaction } from './lane-transaction.js';
import { MAX_RECORD_BYTES } from './lane-transaction.js';
import { bytesOfKey, bytesOfValue } from './wire.js';

export interface EdgeSinkParts {
  readonly transaction: LaneTransaction;
  readonly topic: TopicDescription;
  /** The key of a record; undefined if the topic has one partition. */
  readonly key: ((record: unknown) => unknown) | undefined;
  readonly namespace: string;
}

export class EdgeSink implements Sink<unknown, NewRecord> {
  readonly kind = 'topic';
  readonly isShareable = true;
  private readonly parts: EdgeSinkParts;

  constructor(parts: EdgeSinkParts) {
    this.parts = parts;
  }

  get dataset(): Dataset {
    return { namespace: this.parts.namespace, name: this.parts.topic.name };
  }

  open(): undefined {
    return undefined;
  }

  encode(record: unknown): NewRecord {
    const { key, topic } = this.parts;
    const row = {
      key: key === undefined ? null : bytesOfKey(key(record)),
      value: bytesOfValue(record, `A record for topic '${topic.name}'`),
      headers: [],
    };
    const bytes = bytesOf(row);
    if (bytes <= MAX_RECORD_BYTES) return row;
    throw new MillraceError(
      'MILLRACE_INVALID_OUTPUT',
      `The record needs up to ${bytes} bytes, and a topic between two stages accepts ${MAX_RECORD_BYTES}`,
    );
  }

  async write({ rows }: SinkRows<NewRecord>): Promise<undefined> {
    const { transaction, topic, key } = this.parts;
    await transaction.write(topic, rows, key === undefined ? 0 : undefined);
    return undefined;
  }

  prepare(): undefined {
    return undefined;
  }

  /**
   * Does nothing, because the checkpoint commits the transaction. But a sink with this method receives no further rows
   * until the checkpoint is stored.
   */
  commit(): undefined {
    return undefined;
  }
}
