/** Reads a topic with kafkajs, and parses the values as JSON. */
import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { KAFKA_ADDRESS } from '../kafka-broker.js';
import { filledTopic } from '../kafka-work.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => {
  const topic = await filledTopic(records);
  const client = new Kafka({ brokers: [process.env[KAFKA_ADDRESS] ?? ''], logLevel: logLevel.NOTHING });
  const consumer = client.consumer({ groupId: `bench-${randomUUID()}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let sum = 0;
  let seen = 0;
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        autoCommit: false,
        eachBatch: ({ batch }) => {
          for (const { value } of batch.messages) sum += (JSON.parse((value as Buffer).toString()) as { n: number }).n;
          seen += batch.messages.length;
          if (seen === records) resolve();
          return Promise.resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return sum;
};
