/**
 * One partition of a topic between two stages, as the source of a lane. The number of a record is its offset.
 *
 * Guarantees: the source ends when it has read the end mark of each lane of the stage in front of it. A position
 * contains the end marks that were read before it, so a resumed lane knows them.
 */
import type { ConnectorContext, Source, SourcePartition, SourcePast, SourceRead } from '../connect/index.js';
import type { Dataset } from '../model/events.js';
import type { Json } from '../model/json.js';
import { MillraceError } from '../model/errors.js';
import type { KafkaPort, RawRecord, TopicDescription } from '../connectors/kafka/port.js';
import { TopicReader, type PartitionReader } from '../connectors/kafka/topic-reader.js';
import type { SourcePosition } from '../tasks/source-task.js';
import { endedLane, valueOfBytes } from './wire.js';

const MAX_WAIT_MS = 500;

export interface EdgeSourceParts {
  readonly client: KafkaPort;
  readonly topic: TopicDescription;
  readonly partition: number;
  /** The number of lanes that write to the topic. */
  readonly writers: number;
  /** The namespace of the cluster, for events. */
  readonly namespace: string;
  /** The longest time that a partition may be without a leader, in milliseconds. */
  readonly timeoutMs: number;
}

/** A position with the lanes whose end marks were read before it. */
interface EdgePosition extends SourcePosition {
  readonly ended: readonly number[];
}

export class EdgeSource implements Source<unknown>, SourcePartition<unknown> {
  readonly kind = 'topic';
  readonly isPartitioned = true;
  /** Records that have settled may be removed from the topic. */
  readonly isTransient = true;
  readonly partition: number;
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

  constructor(parts: EdgeSourceParts) {
    this.parts = parts;
    this.partition = parts.partition;
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
      const position = { lineage: read[0]?.offset ?? this.last, ended: [...this.ended] };
      const records = read.filter((record) => !this.isMark(record));
      if (records.length === 0) continue;
      this.last = (records.at(-1) as RawRecord).offset + 1;
      return {
        records: records.map(({ value }) => valueOfBytes(value as Uint8Array)),
        numbers: records.map(({ offset }) => offset),
        position,
      };
    }
  }

  close(): void {
    this.signal?.removeEventListener('abort', this.stop);
    this.reader?.close();
  }

  /**
   * The offset to commit at this watermark. If each record that `read` returned has settled, the offset also passes the
   * end marks and gaps behind the last one.
   */
  settledUpTo(watermark: number): number {
    return watermark < this.last || this.lane === undefined ? watermark : Math.max(watermark, this.lane.given);
  }

  private get isOver(): boolean {
    return this.ended.size >= this.parts.writers;
  }

  private isMark(record: RawRecord): boolean {
    const lane = endedLane(record);
    if (lane === undefined) return false;
    if (lane >= this.parts.writers) {
      throw new MillraceError(
        'MILLRACE_KAFKA',
        `Topic '${this.parts.topic.name}' has the end of lane ${lane}, and ${this.parts.writers} lanes write to it. It belongs to another run`,
      );
    }
    this.ended.add(lane);
    return true;
  }
}
