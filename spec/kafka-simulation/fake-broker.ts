/**
 * A Kafka broker in memory, for simulations: logs with transactions and markers, a transaction coordinator with epochs,
 * and offsets of groups that are part of transactions.
 *
 * It behaves as brokers do where that matters: a new epoch fences earlier ones and aborts their transaction, a repeated
 * batch is recognised by its sequence number, a repeated end of a transaction is accepted, and a late one ends whatever
 * transaction the same epoch has open.
 */
import { MillraceError } from 'millrace';
import type { AbortedTransaction, StoredBatch } from '#lib/connectors/kafka/committed-records.js';
import type { CommittedOffset, NewBatch, ProducerIdentity } from '#lib/connectors/kafka/port.js';

const encoder = new TextEncoder();
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

interface Log {
  readonly batches: StoredBatch[];
  readonly aborted: AbortedTransaction[];
  /** By producer: the first offset of its open transaction. */
  readonly open: Map<string, number>;
  /** By producer and epoch: the next sequence number. */
  readonly sequences: Map<string, number>;
  end: number;
}

interface Transaction {
  readonly producerId: string;
  epoch: number;
  /** The epoch whose producer has begun this one; undefined if another producer did. */
  before: number | undefined;
  isOpen: boolean;
  /** How the last transaction of this epoch ended; undefined if none did. */
  ended: boolean | undefined;
  readonly partitions: Set<string>;
  readonly offsets: Map<string, CommittedOffset>;
}

export class FakeBroker {
  private readonly logs = new Map<string, Log>();
  private readonly transactions = new Map<string, Transaction>();
  private readonly committedOffsets = new Map<string, CommittedOffset>();
  /** Committed offsets that the coordinator of the group does not know yet. */
  private readonly applying: [place: string, offset: CommittedOffset][] = [];
  private producers = 0;

  /** A partition, as `topic/partition`. */
  log(place: string): Log {
    const known = this.logs.get(place);
    if (known !== undefined) return known;
    const made: Log = { batches: [], aborted: [], open: new Map(), sequences: new Map(), end: 0 };
    this.logs.set(place, made);
    return made;
  }

  /** The offset before which every transaction has ended. */
  stableEnd(place: string): number {
    const { open, end } = this.log(place);
    return Math.min(end, ...open.values());
  }

  /** @param after the producer that begins its next epoch, and is refused if another one has fenced it. */
  begin(transactionalId: string, fences: boolean, after?: ProducerIdentity): ProducerIdentity {
    const known = this.transactions.get(transactionalId);
    if (known === undefined) {
      const made: Transaction = {
        ...{ producerId: String(++this.producers), epoch: 0, before: undefined, isOpen: false, ended: undefined },
        ...{ partitions: new Set(), offsets: new Map() },
      };
      this.transactions.set(transactionalId, made);
      return { transactionalId, producerId: made.producerId, epoch: 0 };
    }
    if (after !== undefined && after.epoch !== known.epoch) {
      if (known.isOpen) {
        // Brokers look at the epoch only after they have aborted the open transaction.
        this.finish(known, false);
        known.before = undefined;
        known.epoch++;
      }
      // A repeated request is answered as the first one was.
      if (after.epoch !== known.before) throw fenced(transactionalId);
      return { transactionalId, producerId: known.producerId, epoch: known.epoch };
    }
    if (fences) {
      if (known.isOpen) this.finish(known, false);
      known.before = after?.epoch;
      known.epoch++;
      known.ended = undefined;
    }
    return { transactionalId, producerId: known.producerId, epoch: known.epoch };
  }

  addPartitions(producer: ProducerIdentity, places: readonly string[]): void {
    const transaction = this.current(producer);
    transaction.isOpen = true;
    transaction.ended = undefined;
    for (const place of places) transaction.partitions.add(place);
  }

  commitWithin(producer: ProducerIdentity, offsets: ReadonlyMap<string, CommittedOffset>): void {
    const transaction = this.current(producer);
    transaction.isOpen = true;
    transaction.ended = undefined;
    for (const [place, offset] of offsets) transaction.offsets.set(place, offset);
  }

  write(place: string, { records, producer, sequence }: NewBatch): void {
    const log = this.log(place);
    if (producer === undefined) {
      append(log, records, 0, '-1');
      return;
    }
    const transaction = this.current(producer);
    if (!transaction.partitions.has(place)) throw refused('INVALID_TXN_STATE');
    const key = `${producer.producerId}/${producer.epoch}`;
    const next = log.sequences.get(key) ?? 0;
    if (sequence < next) return;
    if (sequence > next) throw refused('OUT_OF_ORDER_SEQUENCE_NUMBER');
    log.sequences.set(key, next + records.length);
    if (!log.open.has(producer.producerId)) log.open.set(producer.producerId, log.end);
    append(log, records, TRANSACTIONAL, producer.producerId);
  }

  end(producer: ProducerIdentity, isCommitted: boolean): void {
    const transaction = this.current(producer);
    if (!transaction.isOpen) {
      if (transaction.ended === isCommitted) return;
      throw refused('INVALID_TXN_STATE');
    }
    this.finish(transaction, isCommitted);
  }

  /** What a group has committed; `isPending` if an open transaction is about to change it. */
  committed(place: string): { readonly offset: CommittedOffset | undefined; readonly isPending: boolean } {
    const isPending =
      [...this.transactions.values()].some(({ isOpen, offsets }) => isOpen && offsets.has(place)) ||
      this.applying.some(([own]) => own === place);
    return { offset: this.committedOffsets.get(place), isPending };
  }

  /** The coordinators of groups learn of the ends of transactions. */
  apply(): void {
    for (const [place, offset] of this.applying.splice(0)) this.committedOffsets.set(place, offset);
  }

  private current({ transactionalId, producerId, epoch }: ProducerIdentity): Transaction {
    const transaction = this.transactions.get(transactionalId);
    if (transaction?.producerId === producerId && transaction.epoch === epoch) return transaction;
    throw fenced(transactionalId);
  }

  private finish(transaction: Transaction, isCommitted: boolean): void {
    const { producerId, partitions, offsets } = transaction;
    for (const place of partitions) {
      const log = this.log(place);
      const first = log.open.get(producerId);
      log.open.delete(producerId);
      if (first !== undefined && !isCommitted) {
        log.aborted.push({ producerId: BigInt(producerId), firstOffset: BigInt(first) });
      }
      mark(log, producerId, isCommitted);
    }
    if (isCommitted) this.applying.push(...offsets);
    partitions.clear();
    offsets.clear();
    transaction.isOpen = false;
    transaction.ended = isCommitted;
  }
}

function append(log: Log, records: NewBatch['records'], attributes: number, producerId: string): void {
  log.batches.push({
    ...{ firstOffset: BigInt(log.end), lastOffsetDelta: records.length - 1, attributes },
    ...{ producerId: BigInt(producerId), firstTimestamp: 0n, maxTimestamp: 0n },
    records: records.map(({ key, value, headers }, offsetDelta) => ({
      ...{ offsetDelta, timestampDelta: 0n, key, value },
      headers: headers.map(([name, header]) => [encoder.encode(name), header] as const),
    })),
  });
  log.end += records.length;
}

function mark(log: Log, producerId: string, isCommitted: boolean): void {
  append(
    log,
    [{ key: Buffer.from([0, 0, 0, isCommitted ? 1 : 0]), value: null, headers: [] }],
    CONTROL | TRANSACTIONAL,
    producerId,
  );
}

function fenced(transactionalId: string): MillraceError {
  return new MillraceError('MILLRACE_LOCKED', `'${transactionalId}' is fenced: INVALID_PRODUCER_EPOCH`);
}

function refused(answer: string): MillraceError {
  return new MillraceError('MILLRACE_KAFKA', `The fake broker refused: ${answer}`);
}
