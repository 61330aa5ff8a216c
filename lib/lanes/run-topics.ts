/**
 * The topics of a run: their names, their settings and their creation.
 *
 * Guarantees: a topic that exists is not changed, and one with another number of partitions is refused.
 */
import type { KafkaPort, NewTopic, TopicDescription } from '../connectors/kafka/port.js';
import { MillraceError } from '../model/errors.js';
import { MAX_RECORD_BYTES } from './lane-transaction.js';
import type { StagePlan } from './stages.js';

const FOR_EVER = { 'retention.ms': '-1', 'retention.bytes': '-1' };
const LARGE = { 'max.message.bytes': String(MAX_RECORD_BYTES) };

/** The number of lanes of all stages. */
export function laneCount({ stages }: StagePlan): number {
  return stages.reduce((sum, { lanes }) => sum + lanes, 0);
}

/** The topics of a run. */
export function topicsOf(plan: StagePlan, replicationFactor: number | undefined): readonly NewTopic[] {
  const topic = (name: string, partitions: number, settings: Readonly<Record<string, string>>): NewTopic => ({
    ...{ name, partitions, replicationFactor, settings },
  });
  const edges = plan.stages.flatMap(({ inputs }) => inputs);
  return [
    topic(plan.runTopic, 1, FOR_EVER),
    topic(plan.stateTopic, laneCount(plan), { 'cleanup.policy': 'compact', ...LARGE }),
    topic(plan.letterTopic, 1, { ...FOR_EVER, ...LARGE }),
    topic(plan.eventTopic, 1, FOR_EVER),
    // Records that retention removed before they were read would be lost.
    ...edges.map(({ topic: name, partitions }) => topic(name, partitions, { ...FOR_EVER, ...LARGE })),
  ];
}

/** Creates the missing topics. Resolves with their names. */
export async function createTopics(client: KafkaPort, topics: readonly NewTopic[]): Promise<readonly string[]> {
  const created: string[] = [];
  for (const topic of topics) if (await client.createTopic(topic)) created.push(topic.name);
  return created;
}

/**
 * The topics as the brokers describe them. Rejects with MILLRACE_KAFKA if one is missing, has another number of
 * partitions, or is compacted.
 */
export async function describeTopics(
  client: KafkaPort,
  topics: readonly NewTopic[],
): Promise<ReadonlyMap<string, TopicDescription>> {
  const found = new Map<string, TopicDescription>();
  const keep = new Set(topics.filter(({ settings }) => !('cleanup.policy' in settings)).map(({ name }) => name));
  for (const { name, partitions } of topics) {
    const topic = await client.describe(name);
    if (topic.partitions !== partitions) {
      throw new MillraceError(
        'MILLRACE_KAFKA',
        `Expected topic '${name}' to have ${partitions} partitions, got ${topic.partitions}. Give the number of partitions with which the run was created, or start a new run`,
      );
    }
    if (keep.has(name)) await assertKept(client, name);
    found.set(name, topic);
  }
  return found;
}

/** Compaction removes the earlier records of a key, each of which is a record of the workflow. */
async function assertKept(client: KafkaPort, name: string): Promise<void> {
  const policy = (await client.setting(name, 'cleanup.policy')) ?? 'delete';
  if (!policy.includes('compact')) return;
  throw new MillraceError(
    'MILLRACE_KAFKA',
    `Topic '${name}' has \`cleanup.policy=${policy}\`, which would remove records of the run before they are read. Delete the topic, or set \`cleanup.policy=delete\``,
  );
}
