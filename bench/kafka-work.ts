/** What the sides of the Kafka cases share: the cluster, topics with records, and a checksum of what was read. */
import { randomUUID } from 'node:crypto';
import { kafka, type KafkaCluster } from 'millrace/kafka';
import type { KafkaPort, NewRecord, TopicDescription } from '#lib/connectors/kafka/port.js';
import { openClient } from '#lib/connectors/kafka/raw-client.js';
import { TopicWriter } from '#lib/connectors/kafka/topic-writer.js';
import { KAFKA_ADDRESS } from './kafka-broker.js';

/** The bytes of a value. */
const VALUE_BYTES = 200;
const PER_WRITE = 1000;
const MAX_BYTES = 1_000_000;

export const cluster = (): KafkaCluster => kafka({ brokers: [process.env[KAFKA_ADDRESS] ?? ''] });

/** The value of the record with this number: JSON of about 200 bytes. */
export const valueOf = (n: number): { readonly n: number; readonly text: string } => ({
  n,
  text: 'x'.repeat(VALUE_BYTES - 20),
});

/** Works with a client, and closes it. */
export async function withClient<T>(work: (client: KafkaPort) => Promise<T>): Promise<T> {
  const client = await openClient(cluster());
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** A new topic. */
export async function newTopic(partitions = 1): Promise<string> {
  const name = `bench-${randomUUID()}`;
  await withClient((client) => client.createTopic({ name, partitions, replicationFactor: 1, settings: {} }));
  return name;
}

const filled = new Map<number, Promise<string>>();

/** A topic with so many records, made once per process. */
export function filledTopic(records: number): Promise<string> {
  const known = filled.get(records) ?? fill(records);
  filled.set(records, known);
  return known;
}

async function fill(records: number): Promise<string> {
  const name = await newTopic();
  await withClient(async (client) => {
    const topic = await client.describe(name);
    const writer = writerTo(client, topic);
    for (let n = 0; n < records; n += PER_WRITE) await writer.write(rowsFrom(n, Math.min(PER_WRITE, records - n)), 0);
  });
  return name;
}

export function rowsFrom(first: number, count: number): NewRecord[] {
  return [...new Array<undefined>(count).keys()].map((index) => ({
    key: null,
    value: Buffer.from(JSON.stringify(valueOf(first + index))),
    headers: [],
  }));
}

export function writerTo(client: KafkaPort, topic: TopicDescription): TopicWriter {
  return new TopicWriter({ client, topic, compression: 'none', maxBytes: MAX_BYTES, producer: undefined });
}

/** The sum of the numbers from 0 to `records`. */
export const sumTo = (records: number): number => (records * (records - 1)) / 2;
