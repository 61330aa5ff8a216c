/**
 * Creates, deletes and looks up topics, on the raw requests.
 *
 * Guarantees: a topic that exists is neither changed nor created again.
 */
import type { Brokers } from './brokers.js';
import { faultOf } from './client-faults.js';
import type { KafkaPort, NewTopic } from './port.js';

const TIMEOUT_MS = 30_000;
/** The number of copies that the brokers make by default. */
const DEFAULT_REPLICATION = -1;

export class TopicRequests implements Pick<KafkaPort, 'createTopic' | 'deleteTopic' | 'hasTopic'> {
  private readonly brokers: Brokers;

  constructor(brokers: Brokers) {
    this.brokers = brokers;
  }

  createTopic({ name, partitions, replicationFactor, settings }: NewTopic): Promise<boolean> {
    const topic = {
      name,
      numPartitions: partitions,
      replicationFactor: replicationFactor ?? DEFAULT_REPLICATION,
      assignments: [],
      configs: Object.entries(settings).map(([key, value]) => ({ name: key, value })),
    };
    return this.brokers.repeat(`create topic '${name}'`, () =>
      unless('TOPIC_ALREADY_EXISTS', async () => {
        const connection = await this.brokers.controller();
        await this.brokers.kafka.createTopicsV7.api.async(connection, [topic], TIMEOUT_MS, false);
      }),
    );
  }

  deleteTopic(name: string): Promise<boolean> {
    return this.brokers.repeat(`delete topic '${name}'`, () =>
      unless('UNKNOWN_TOPIC_OR_PARTITION', async () => {
        const connection = await this.brokers.controller();
        await this.brokers.kafka.deleteTopicsV6.api.async(connection, [{ name, topicId: null }], TIMEOUT_MS);
      }),
    );
  }

  hasTopic(name: string): Promise<boolean> {
    return this.brokers.repeat(`look up topic '${name}'`, () =>
      unless('UNKNOWN_TOPIC_OR_PARTITION', async () => {
        await this.brokers.kafka.metadataV12.api.async(await this.brokers.any(), [name], false, false);
      }),
    );
  }
}

/** Resolves with false for this answer, and with true if the request succeeds. */
async function unless(answer: string, request: () => Promise<void>): Promise<boolean> {
  try {
    await request();
    return true;
  } catch (error) {
    if (faultOf(error).answers.includes(answer)) return false;
    throw error;
  }
}
