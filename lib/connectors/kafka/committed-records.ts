/**
 * Finds the records of a fetched partition that belong to committed transactions.
 *
 * The rule is that of KIP-98. A broker returns the aborted transactions of the fetched range, each with its producer
 * and first offset. In the order of offsets, a producer is aborting from the first offset of its next aborted
 * transaction until its own abort marker; its records in between are skipped. A marker may be in a later fetch than its
 * records, and a producer may have several aborted transactions, so the producer alone does not identify the records.
 */

/** A stored batch of records. */
export interface StoredBatch {
  readonly firstOffset: bigint;
  readonly lastOffsetDelta: number;
  readonly attributes: number;
  readonly producerId: bigint;
  readonly firstTimestamp: bigint;
  readonly maxTimestamp: bigint;
  readonly records: readonly StoredRecord[];
}

export interface StoredRecord {
  readonly offsetDelta: number;
  readonly timestampDelta: bigint;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [Uint8Array | null, Uint8Array | null])[];
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** The second 16 bits of the key of a marker: 0 for abort, 1 for commit. */
const ABORT = 0;

/** A batch, and whether readers of committed data see its records. */
export interface CommittedBatch {
  readonly batch: StoredBatch;
  readonly isVisible: boolean;
}

/** The batches in their order, each with whether readers of committed data see it. */
export function* committedBatches(
  batches: readonly StoredBatch[],
  abortedTransactions: readonly AbortedTransaction[],
): Generator<CommittedBatch> {
  const aborted = [...abortedTransactions].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  const aborting = new Set<bigint>();
  let next = 0;
  for (const batch of batches) {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    for (let one = aborted[next]; one !== undefined && one.firstOffset <= last; one = aborted[++next]) {
      aborting.add(one.producerId);
    }
    if ((batch.attributes & CONTROL) !== 0) {
      if (markerOf(batch) === ABORT) aborting.delete(batch.producerId);
      yield { batch, isVisible: false };
    } else {
      const isAborted = (batch.attributes & TRANSACTIONAL) !== 0 && aborting.has(batch.producerId);
      yield { batch, isVisible: !isAborted };
    }
  }
}

/** The time of a record: when it was made, or when the broker stored it, by the setting of the topic. */
export function timestampOf(batch: StoredBatch, { timestampDelta }: StoredRecord): number {
  const isStored = (batch.attributes & LOG_APPEND_TIME) !== 0;
  return Number(isStored ? batch.maxTimestamp : batch.firstTimestamp + timestampDelta);
}

function markerOf({ records }: StoredBatch): number | undefined {
  const key = records[0]?.key;
  if (key === undefined || key === null || key.length < 4) return undefined;
  return new DataView(key.buffer, key.byteOffset, key.byteLength).getInt16(2);
}
