/** Two independent readers of committed data, kafkajs and ours, which must see the same records. */
import type { KafkaCluster } from '#lib/connectors/kafka/index.js';
import { openClient } from '#lib/connectors/kafka/raw-client.js';
import { recordsOf } from '#lib/lanes/lane-past.js';
import { END_KEY, type TestCluster } from './test-cluster.js';

const TIMEOUT_MS = 30_000;

/** The values of the topic, by partition in order. Throws if the readers differ. */
export async function valuesOf(test: TestCluster, cluster: KafkaCluster, topic: string): Promise<readonly string[]> {
  const seen = (await test.read(topic)).map(({ partition, offset, value }) => `${partition}/${offset} ${value ?? ''}`);
  const own: string[] = [];
  const values: string[] = [];
  const client = await openClient(cluster);
  try {
    const described = await client.describe(topic);
    for (let partition = 0; partition < described.partitions; partition++) {
      for await (const { offset, key, value } of recordsOf(client, described, partition, TIMEOUT_MS)) {
        if (textOf(key) === END_KEY) continue;
        values.push(textOf(value));
        own.push(`${partition}/${offset} ${textOf(value)}`);
      }
    }
  } finally {
    await client.close();
  }
  if (own.join('\n') === seen.join('\n')) return values;
  throw new Error(`The readers differ: kafkajs sees ${seen.length} records of ${topic}, and our reader ${own.length}`);
}

function textOf(bytes: Uint8Array | null): string {
  return bytes === null ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
