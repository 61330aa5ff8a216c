/**
 * Finds the place where each partition of a topic begins: the place of an earlier incarnation of the run, the offset
 * that the group has committed, or the place that the options name.
 */
import { describeValue, invalidOption, MillraceError, type SourcePast } from '../../connect/index.js';
import { doneRanges } from './done-text.js';
import type { KafkaPort, OffsetPlace, TopicDescription } from './port.js';

/**
 * The place where a new run begins: where its group stopped, at the first or the next record, at a time, or at offsets.
 */
export type KafkaStart =
  | 'committed'
  | 'earliest'
  | 'latest'
  | {
      /** Milliseconds since 1970: the first record at or after this time. */
      readonly timestamp: number;
    }
  | {
      /** The offset of the first record, by partition. The other partitions begin at their first record. */
      readonly offsets: Readonly<Record<number, number>>;
    };

export interface StartRequest {
  readonly client: KafkaPort;
  readonly topic: TopicDescription;
  readonly past: SourcePast | undefined;
  readonly from: KafkaStart;
  readonly startWhenNew: 'earliest' | 'latest';
  readonly groupId: string | undefined;
  /** The place where the first incarnation of the run began, by partition; undefined if it was not stored. */
  readonly kept?: readonly KeptStart[] | undefined;
}

/** The beginning of a partition, as the first checkpoint stores it. */
export type KeptStart = Pick<PartitionStart, 'from' | 'done'>;

/** The beginning of one partition. */
export interface PartitionStart {
  /** The number of the first record. */
  readonly from: number;
  /** The records above it that an earlier run of the group has settled, as [from, to) pairs. */
  readonly done: readonly number[];
  /** The end that the first incarnation of the run has set; undefined if there was none. */
  readonly end: number | undefined;
}

/**
 * The beginning of each partition of the topic. Rejects with MILLRACE_KAFKA for offsets that the topic does not have.
 */
export async function startsOf(request: StartRequest): Promise<readonly PartitionStart[]> {
  const { client, topic, past, groupId, from, startWhenNew, kept = [] } = request;
  const partitions = [...new Array<undefined>(topic.partitions).keys()];
  const known = new Map((past?.partitions ?? []).map((one) => [one.partition, one]));
  const isKnown = partitions.every((partition) => known.has(partition) || kept[partition] !== undefined);
  const committed =
    from === 'committed' && groupId !== undefined && !isKnown
      ? await client.committed(groupId, topic, 'stable')
      : undefined;
  const isEach = isKnown || partitions.every((partition) => known.has(partition) || committed?.has(partition) === true);
  const place = placeOf(from, startWhenNew);
  const found = isEach ? [] : await client.offsets(topic, place);
  // No record is at or after the time.
  const ends = found.includes(-1) ? await client.offsets(topic, 'latest') : [];
  // If a resumed run knows some partitions, a partition that it does not know was added in the meantime, and none of
  // its records was read. A run that died before it knew any partition starts like a new run.
  const isAdded = known.size > 0 || kept.length > 0;
  const earliest = isAdded && !isKnown ? await client.offsets(topic, 'earliest') : [];
  return partitions.map((partition): PartitionStart => {
    const before = known.get(partition);
    if (before !== undefined) {
      const { position } = before;
      return { from: before.from, done: [], end: typeof position?.['end'] === 'number' ? position['end'] : undefined };
    }
    const first = kept[partition];
    if (first !== undefined) return { ...first, end: undefined };
    const own = committed?.get(partition);
    if (own !== undefined) return { from: own.offset, done: doneRanges(own.offset, own.metadata), end: undefined };
    if (isAdded) return { from: earliest[partition] as number, done: [], end: undefined };
    const at = found[partition] as number;
    return {
      from: offsetIn(from, partition) ?? (at === -1 ? (ends[partition] as number) : at),
      done: [],
      end: undefined,
    };
  });
}

function placeOf(from: KafkaStart, startWhenNew: 'earliest' | 'latest'): OffsetPlace {
  if (from === 'committed') return startWhenNew;
  if (typeof from === 'string') return from;
  return 'timestamp' in from ? from : 'earliest';
}

function offsetIn(from: KafkaStart, partition: number): number | undefined {
  return typeof from === 'object' && 'offsets' in from ? from.offsets[partition] : undefined;
}

/** Throws MILLRACE_KAFKA for `offsets` of partitions that the topic does not have. */
export function checkOffsets(from: KafkaStart, { name, partitions }: TopicDescription): void {
  if (typeof from === 'string' || !('offsets' in from)) return;
  const isPartition = (text: string): boolean => /^\d+$/.test(text) && Number(text) < partitions;
  const wrong = Object.keys(from.offsets).find((partition) => !isPartition(partition));
  const bad = Object.entries(from.offsets).find(([, offset]) => !Number.isSafeInteger(offset) || offset < 0);
  if (wrong === undefined && bad !== undefined) {
    throw invalidOption(
      `Expected the offset of partition ${bad[0]} in \`from.offsets\` to be a whole number from 0 on, got ${describeValue(bad[1])}`,
    );
  }
  if (wrong === undefined) return;
  throw new MillraceError(
    'MILLRACE_KAFKA',
    `\`from.offsets\` names partition ${wrong}, and topic '${name}' has ${partitions} partitions, 0 to ${partitions - 1}`,
  );
}
