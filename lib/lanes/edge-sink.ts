/**
 * A topic between two stages, as a sink of the lanes in front of it. It writes within the transaction of the lane.
 *
 * Guarantees: between the collection of the positions of a checkpoint and the end of its transaction, nothing is written.
 * In front of windows of time, each record carries the watermark of its lane, computed over the records in the order of
 * their root, up to this one. It is the same in each incarnation of the lane.
 */
import type { ConnectorContext, Sink, SinkPast, SinkRows } from '../connect/index.js';
import { bytesOf } from '../connectors/kafka/topic-writer.js';
import type { NewRecord, TopicDescription } from '../connectors/kafka/port.js';
import type { Channels } from '../ledger/channels.js';
import type { Json } from '../model/checkpoint.js';
import { MillraceError } from '../model/errors.js';
import type { Dataset } from '../model/events.js';
import type { Lineage } from '../model/record.js';
import type { Timing } from '../tasks/task.js';
import { Watermark, type StoredWatermark } from '../tasks/windows/watermark.js';
import type { LaneTransaction } from './lane-transaction.js';
import { MAX_RECORD_BYTES } from './lane-transaction.js';
import { bytesOfKey, bytesOfValue, timeHeader, timeMarker } from './wire.js';

export interface EdgeSinkParts {
  readonly transaction: LaneTransaction;
  readonly topic: TopicDescription;
  /** The number of the lane among all lanes that write to the topic. */
  readonly lane: number;
  /** The key of a record; undefined if the topic has one partition. */
  readonly key: ((record: unknown) => unknown) | undefined;
  /** The name of the dependency that is added to each record; undefined for none. */
  readonly label: string | undefined;
  /** How the reader of the topic reads time; undefined if it does not. */
  readonly timing: Timing | undefined;
  readonly namespace: string;
}

/** A row with the time of its record; NaN if it has none. */
interface EdgeRow extends NewRecord {
  readonly at?: number;
  readonly lineage?: Lineage;
}

/** The largest time header. */
const TIME_BYTES = 64;

export class EdgeSink implements Sink<unknown, EdgeRow> {
  readonly kind = 'topic';
  readonly isShareable = true;
  private readonly parts: EdgeSinkParts;
  private channels: (() => Channels) | undefined;
  private watermark: Watermark | undefined;
  /** The time that the last marker carried. */
  private written = -Infinity;

  constructor(parts: EdgeSinkParts) {
    this.parts = parts;
  }

  get dataset(): Dataset {
    return { namespace: this.parts.namespace, name: this.parts.topic.name };
  }

  follow(channels: () => Channels): void {
    this.channels = channels;
  }

  open({ clock }: ConnectorContext, past: SinkPast | undefined): undefined {
    const { timing } = this.parts;
    if (timing === undefined || this.channels === undefined) return undefined;
    this.watermark = new Watermark(this.channels, () => clock.now(), timing.idleMs);
    const stored = past?.prepared as unknown as StoredWatermark | undefined;
    if (stored !== undefined) this.watermark.restore(stored);
    return undefined;
  }

  encode(given: unknown, lineage: Lineage): EdgeRow {
    const { key, topic, label, timing } = this.parts;
    const record = label === undefined ? given : { from: label, record: given };
    const row = {
      key: key === undefined ? null : bytesOfKey(key(record)),
      value: bytesOfValue(record, `A record for topic '${topic.name}'`),
      headers: [],
      ...(timing !== undefined && { at: timeOf(timing, record), lineage }),
    };
    const bytes = bytesOf(row) + (timing === undefined ? 0 : TIME_BYTES);
    if (bytes <= MAX_RECORD_BYTES) return row;
    throw new MillraceError(
      'MILLRACE_INVALID_OUTPUT',
      `The record needs up to ${bytes} bytes, and a topic between two stages accepts ${MAX_RECORD_BYTES}`,
    );
  }

  async write({ rows }: SinkRows<EdgeRow>): Promise<undefined> {
    const { transaction, topic, key, lane } = this.parts;
    const { watermark } = this;
    const timed = ({ at = NaN, lineage = 0, ...row }: EdgeRow): NewRecord => {
      if (watermark === undefined) return row;
      // A record whose time cannot be read is given up by the reader, as in one process.
      if (Number.isFinite(at)) watermark.observe(lineage, at);
      return { ...row, headers: [timeHeader({ lane, reached: watermark.value })] };
    };
    const records = watermark === undefined ? rows : rows.map(timed);
    await transaction.write(topic, records, key === undefined ? 0 : undefined);
    return undefined;
  }

  /**
   * Writes the time that the lane has reached to each partition, unless it was written already. Called for each
   * checkpoint, when all records up to its position are written.
   */
  async writeTimeMarkers(): Promise<void> {
    const { transaction, topic, lane } = this.parts;
    const reached = this.watermark?.value ?? -Infinity;
    if (reached <= this.written) return;
    this.written = reached;
    const marker = [timeMarker({ lane, reached })];
    const partitions = [...new Array(topic.partitions).keys()];
    await Promise.all(partitions.map((partition) => transaction.write(topic, marker, partition)));
  }

  prepare(): Json | undefined {
    return this.watermark?.stored() as unknown as Json | undefined;
  }

  /**
   * Does nothing, because the checkpoint commits the transaction. But a sink with this method receives no further rows
   * until the checkpoint is stored.
   */
  commit(): undefined {
    return undefined;
  }
}

function timeOf({ timeOf: read }: Timing, record: unknown): number {
  try {
    return read(record as never);
  } catch {
    return NaN;
  }
}
