/** Forms of the requests of `@platformatic/kafka` that several requests share. */
import type * as Package from '@platformatic/kafka';
import type { CommittedOffset, ProducerIdentity } from './port.js';

export function wireIdentity({ producerId, epoch }: ProducerIdentity): {
  readonly producerId: bigint;
  readonly producerEpoch: number;
} {
  return { producerId: BigInt(producerId), producerEpoch: epoch };
}

export function offsetsOf(
  name: string,
  offsets: ReadonlyMap<number, CommittedOffset>,
): { name: string; partitions: Package.offsetCommitV8.OffsetCommitRequestPartition[] } {
  const partitions = [...offsets].map(([partitionIndex, { offset, metadata }]) => ({
    partitionIndex,
    committedOffset: BigInt(offset),
    committedLeaderEpoch: -1,
    committedMetadata: metadata,
  }));
  return { name, partitions };
}
