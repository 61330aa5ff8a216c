/**
 * One partition of a topic between two stages, as the source of a lane. The number of a record is its offset.
 *
 * Guarantees: the source ends when it has read the end marker of each lane of the stage in front of it. A position
 * contains the end markers that were read before it, so a resumed lane knows them. In a replay, only the end markers of
 * this replay count, and the source does not end before it has read the records that it had read earlier. In front of
 * windows of time, the records and markers have the times that their lanes had reached.
 */
import type { ConnectorContext, Source, SourcePartition, SourcePast, SourceRead } from '../connect/index.js';
import type { ChannelTime } from '../ledger/channels.js';
import type { Dataset } from '../model/events.js';
import type { Json } from '../model/json.js';
import { MillraceError } from '../model/errors.js';
import type { KafkaPort, RawRecord, TopicDescription } from '../connectors/kafka/port.js';
import { TopicReader, type PartitionReader } from '../connectors/kafka/topic-reader.js';
import type { SourcePosition } from '../tasks/source-task.js';
import { skip } from '../model/record.js';
import { endIn, timeIn, valueOfBytes } from './wire.js';

const MAX_WAIT_MS = 500;
/** Stands for a marker, so that its time has a place in the order of the records. */
const MARKER = skip('a marker of time');

export interface EdgeSourceParts {
  readonly client: KafkaPort;
  readonly topic: TopicDescription;
  readonly partition: number;
  /** The number of lanes that write to the topic. */
  readonly writers: number;
  /** The generation of the lane: 0 for the run itself, and the number of the replay for its replays. */
  readonly generation: number;
  /** Whether records carry the time of their lane. Then each lane is a channel, and markers are skipped records. */
  readonly isTimed: boolean;
  /** The namespace of the cluster, for events. */
  readonly namespace: string;
  /** The longest time that a partition may be without a leader, in milliseconds. */
  readonly timeoutMs: number;
}

/** A position with the lanes whose end markers were read before it. */
export interface EdgePosition extends SourcePosition {
  /** In a replay, it also contains the lanes that do not take part. */
  readonly ended: readonly number[];
  /** In a replay: the number after the last record of the earlier generations. */
  readonly least?: number;
}

export class EdgeSource implements Source<unknown>, SourcePartition<unknown> {
  readonly kind = 'topic';
  readonly isPartitioned = true;
  /** Records that have settled may be removed from the topic. */
  readonly isTransient = true;
  readonly partition: number;
  readonly channels?: readonly string[];
  private readonly parts: EdgeSourceParts;
  private reader: TopicReader | undefined;
  private signal: AbortSignal | undefined;
  private readonly stop = (): void => {
    this.reader?.close();
  };
  private lane: PartitionReader | undefined;
  private ended = new Set<number>();
  private first = 0;
  /** The offset after the last record that `read` returned. */
  private last = 0;
  private least = 0;

  constructor(parts: EdgeSourceParts) {
    this.parts = parts;
    this.partition = parts.partition;
    if (parts.isTimed) this.channels = [...new Array(parts.writers).keys()].map(String);
  }

  get dataset(): Dataset {
    return { namespace: this.parts.namespace, name: this.parts.topic.name };
  }

  /** The number of the first record that is read. */
  get from(): number {
    return this.first;
  }

  identify(): Json {
    const { topic, partition } = this.parts;
    return { topic: topic.name, id: topic.id, partition };
  }

  open(context: ConnectorContext, past: SourcePast | undefined): readonly SourcePartition<unknown>[] {
    const { client, topic, partition, timeoutMs } = this.parts;
    const own = past?.partitions.find((one) => one.partition === partition);
    const position = own?.position as EdgePosition | undefined;
    this.first = this.last = position?.lineage ?? 0;
    this.ended = new Set(position?.ended);
    this.least = position?.least ?? 0;
    const reader = (this.reader = new TopicReader({
      ...{ client, topic, timeoutMs },
      onOffsetLost: 'stop',
      maxWaitMs: MAX_WAIT_MS,
      notice: (message) => {
        context.notice(message);
      },
    }));
    this.lane = reader.open(partition, this.first);
    this.signal = context.signal;
    this.signal.addEventListener('abort', this.stop);
    return [this];
  }

  async read(max: number): Promise<SourceRead<unknown> | null> {
    for (;;) {
      if (this.isOver) return null;
      const read = await (this.lane as PartitionReader).read(max);
      if (read === null) return null;
      const position = { lineage: read[0]?.offset ?? this.last, ended: [...this.ended], least: this.least };
      const { isTimed } = this.parts;
      const records = read.filter((record) => !this.isMarker(record) || isTimed);
      if (records.length === 0) continue;
      this.last = (records.at(-1) as RawRecord).offset + 1;
      return {
        records: records.map(({ value }) => (value === null ? MARKER : valueOfBytes(value))),
        numbers: records.map(({ offset }) => offset),
        position,
        ...(isTimed && { times: records.map(channelTime) }),
      };
    }
  }

  close(): void {
    this.signal?.removeEventListener('abort', this.stop);
    this.reader?.close();
  }

  /**
   * The offset to commit at this watermark. If each record that `read` returned has settled, the offset also passes the
   * end markers and gaps behind the last one.
   */
  settledUpTo(watermark: number): number {
    return watermark < this.last || this.lane === undefined ? watermark : Math.max(watermark, this.lane.given);
  }

  private get isOver(): boolean {
    return this.ended.size >= this.parts.writers && this.last >= this.least;
  }

  private isMarker(record: RawRecord): boolean {
    const end = endIn(record);
    if (end === undefined) return false;
    const { lane, generation } = end;
    if (lane >= this.parts.writers) {
      throw new MillraceError(
        'MILLRACE_KAFKA',
        `Topic '${this.parts.topic.name}' has the end of lane ${lane}, and ${this.parts.writers} lanes write to it. It belongs to another run`,
      );
    }
    if (generation === this.parts.generation) this.ended.add(lane);
    return true;
  }
}

function channelTime(record: RawRecord): ChannelTime {
  const { lane, reached } = timeIn(record) ?? { lane: 0, reached: -Infinity };
  return { channel: String(lane), reached };
}
