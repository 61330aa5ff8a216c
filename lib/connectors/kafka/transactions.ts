/**
 * Transactions of Kafka, on the raw requests: their coordinator, their partitions, their offsets and their end.
 *
 * Guarantees: a request is repeated while its error may be temporary. `endTransaction` reports whether a request of the
 * transaction was repeated without an answer: the first request may arrive late, within the next transaction of the
 * same epoch, and would end that transaction or overwrite its offsets.
 */
import type { Brokers } from './brokers.js';
import { faultOf } from './client-faults.js';
import type { CommittedOffset, KafkaPort, KnownTransaction, ProducerClaim, ProducerIdentity } from './port.js';
import { offsetsOf, wireIdentity } from './wire-forms.js';

/** The part of the port that concerns transactions. */
type TransactionPort = Pick<
  KafkaPort,
  'beginProducer' | 'addPartitions' | 'commitWithin' | 'endTransaction' | 'transactions'
>;

/** Answers after which it is unknown whether the request took effect. After other answers it did not. */
const UNCLEAR = ['REQUEST_TIMED_OUT', 'NETWORK_EXCEPTION'];

/** Brokers then fence every earlier producer with this transactional id. */
const ANY_PRODUCER = { producerId: -1n, producerEpoch: -1 };

/** The states of a transaction that has begun and not ended. */
const OPEN = ['Ongoing', 'PrepareCommit', 'PrepareAbort', 'PrepareEpochFence'];

export class Transactions implements TransactionPort {
  private readonly brokers: Brokers;
  /** Transactional ids in whose present transaction a request was not answered. */
  private readonly repeated = new Set<string>();

  constructor(brokers: Brokers) {
    this.brokers = brokers;
  }

  beginProducer(
    transactionalId: string,
    transactionTimeoutMs: number,
    { after, assertOwned }: ProducerClaim = {},
  ): Promise<ProducerIdentity> {
    const expected = after === undefined ? ANY_PRODUCER : wireIdentity(after);
    return this.brokers.repeat(`begin to write as '${transactionalId}'`, async () => {
      this.repeated.delete(transactionalId);
      const connection = await this.brokers.coordinator('transaction', transactionalId);
      assertOwned?.();
      const { producerId, producerEpoch } = await this.brokers.kafka.initProducerIdV4.api.async(
        ...([connection, transactionalId, transactionTimeoutMs] as const),
        ...([expected.producerId, expected.producerEpoch] as const),
      );
      return { transactionalId, producerId: String(producerId), epoch: producerEpoch };
    });
  }

  async addPartitions(producer: ProducerIdentity, topic: string, partitions: readonly number[]): Promise<void> {
    const { transactionalId } = producer;
    await this.within(producer, `begin a transaction of '${transactionalId}'`, async () => {
      const connection = await this.brokers.coordinator('transaction', transactionalId);
      const topics = [{ name: topic, partitions: [...partitions] }];
      await this.brokers.kafka.addPartitionsToTxnV3.api.async(connection, [
        { transactionalId, ...wireIdentity(producer), verifyOnly: false, topics },
      ]);
    });
  }

  async commitWithin(
    producer: ProducerIdentity,
    group: string,
    topic: string,
    offsets: ReadonlyMap<number, CommittedOffset>,
  ): Promise<void> {
    const { transactionalId } = producer;
    const { producerId, producerEpoch } = wireIdentity(producer);
    const what = `commit offsets of group '${group}' in a transaction`;
    await this.within(producer, what, async () => {
      const connection = await this.brokers.coordinator('transaction', transactionalId);
      await this.brokers.kafka.addOffsetsToTxnV3.api.async(
        connection,
        transactionalId,
        producerId,
        producerEpoch,
        group,
      );
    });
    await this.within(producer, what, async () => {
      const connection = await this.brokers.coordinator('group', group);
      await this.brokers.kafka.txnOffsetCommitV3.api.async(
        ...([connection, transactionalId, group, producerId, producerEpoch, -1, '', null] as const),
        [offsetsOf(topic, offsets)],
      );
    });
  }

  async endTransaction(producer: ProducerIdentity, isCommitted: boolean): Promise<{ readonly wasRepeated: boolean }> {
    const { transactionalId } = producer;
    const { producerId, producerEpoch } = wireIdentity(producer);
    const what = `${isCommitted ? 'commit' : 'abort'} a transaction of '${transactionalId}'`;
    await this.within(producer, what, async () => {
      const connection = await this.brokers.coordinator('transaction', transactionalId);
      await this.brokers.kafka.endTxnV3.api.async(connection, transactionalId, producerId, producerEpoch, isCommitted);
    });
    return { wasRepeated: this.repeated.delete(transactionalId) };
  }

  /** A request of a transaction. One that was not answered may still arrive. */
  private within({ transactionalId }: ProducerIdentity, what: string, request: () => Promise<void>): Promise<void> {
    return this.brokers.repeat(what, async () => {
      try {
        await request();
      } catch (error) {
        const { answers } = faultOf(error);
        if (answers.every((answer) => UNCLEAR.includes(answer))) this.repeated.add(transactionalId);
        throw error;
      }
    });
  }

  transactions(): Promise<readonly KnownTransaction[]> {
    return this.brokers.repeat('list transactions', async () => {
      // Each broker knows those that it coordinates.
      const connections = await this.brokers.all();
      const answers = await Promise.all(
        connections.map((connection) => this.brokers.kafka.listTransactionsV1.api.async(connection, [], [], -1n, null)),
      );
      return answers.flatMap(({ transactionStates }) =>
        transactionStates.map(({ transactionalId, transactionState }) => ({
          transactionalId,
          isOpen: OPEN.includes(transactionState),
        })),
      );
    });
  }
}
