/** The contract of connectors, held by `kafkaSource` and `kafkaSink` on a real broker. */
import { it } from '@jest/globals';
import type { Sink } from 'millrace/connect';
import { string } from 'millrace/kafka';
import { connectorContract } from 'millrace/testing';
import { topicSink, type TopicSink } from '#lib/connectors/kafka/kafka-sink.js';
import { KafkaSource } from '#lib/connectors/kafka/kafka-source.js';
import { describeWithBroker, type TestBroker } from '../../kafka/with-broker.js';

type Text = string | null;
const RECORDS: readonly Text[] = ['a', null, '', 'd'];

const sourceOf = (broker: TestBroker, topic: string): KafkaSource<Text, Text, Text> =>
  new KafkaSource({ cluster: broker.cluster, topic, until: 'end', value: string(), maxWaitMs: 50, groupId: topic });

describeWithBroker('the contract of connectors', (broker) => {
  const cases = connectorContract<Text, Text>({
    source: {
      records: RECORDS,
      place: async (records) => {
        const topic = await broker().topic();
        await broker().write(
          topic,
          records.map((value) => ({ value })),
        );
        return () => sourceOf(broker(), topic);
      },
      missing: () => sourceOf(broker(), 'no-such-topic'),
    },
    partitioned: {
      records: RECORDS,
      place: async (partitions) => {
        const topic = await broker().topic(partitions.length);
        const write = (records: readonly Text[], partition: number): Promise<void> =>
          broker().write(
            topic,
            records.map((value) => ({ value, partition })),
          );
        for (const [partition, records] of partitions.entries()) await write(records, partition);
        return {
          make: () => sourceOf(broker(), topic),
          grow: async (records) => {
            const admin = await broker().asAdmin();
            const count = partitions.length + 1;
            await admin.createPartitions({ topicPartitions: [{ topic, count }] });
            await write(records, count - 1);
          },
        };
      },
    },
    sink: {
      records: RECORDS,
      place: async () => {
        const topic = await broker().topic();
        return {
          make: (): Sink<Text, unknown> => topicSink({ cluster: broker().cluster, topic, value: string() }),
          read: async () => (await broker().read(topic)).map(({ value }) => value),
          kill: (sink) => (sink as unknown as TopicSink<Text>).disconnect(),
        };
      },
    },
  });
  for (const { name, run } of cases) it(name, run, 120_000);
});
