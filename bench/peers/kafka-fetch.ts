/** Reads a topic by the raw fetch request of the client package, and parses the values as JSON. */
import { ConnectionPool, fetchV13, listOffsetsV7, metadataV12 } from '@platformatic/kafka';
import { KAFKA_ADDRESS } from '../kafka-broker.js';
import { filledTopic } from '../kafka-work.js';
import type { SideRun } from '../side-run.js';

const MAX_BYTES = 1024 * 1024;

export const run: SideRun = async (records) => {
  const name = await filledTopic(records);
  const pool = new ConnectionPool('bench', {});
  const [host = '', port = ''] = (process.env[KAFKA_ADDRESS] ?? '').split(':');
  const connection = await pool.get({ host, port: Number(port) });
  const { topics } = await metadataV12.api.async(connection, [name], false, false);
  const topicId = topics[0]?.topicId ?? '';
  const asked = [{ name, partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1n }] }];
  const offsets = await listOffsetsV7.api.async(connection, -1, 1, asked);
  const end = offsets.topics[0]?.partitions[0]?.offset ?? 0n;
  let sum = 0;
  let fetchOffset = 0n;
  while (fetchOffset < end) {
    const partitions = [
      { partition: 0, currentLeaderEpoch: -1, fetchOffset, lastFetchedEpoch: -1, partitionMaxBytes: MAX_BYTES },
    ];
    const topics = [{ topicId, partitions }];
    const { responses } = await fetchV13.api.async(connection, 500, 1, MAX_BYTES, 1, 0, -1, topics, [], '');
    for (const batch of responses[0]?.partitions[0]?.records ?? []) {
      for (const { value } of batch.records) sum += (JSON.parse((value as Buffer).toString()) as { n: number }).n;
      fetchOffset = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
    }
  }
  await pool.close();
  return sum;
};
