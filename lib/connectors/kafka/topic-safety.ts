/**
 * Whether the settings of a topic keep acknowledged records if a broker is lost for ever. Kafka does not refuse
 * weaker settings, and a cluster for development has them.
 */
import type { KafkaPort, TopicDescription } from './port.js';

/** With three copies, one broker may be lost while another one is restarted. */
const SAFE_COPIES = 3;
const SAFE_IN_SYNC = 2;

/** A sentence about the weak settings of the topic; undefined if it has the recommended ones. */
export async function weaknessOf(client: KafkaPort, topic: TopicDescription): Promise<string | undefined> {
  const [inSync, unclean] = await Promise.all([
    client.setting(topic.name, 'min.insync.replicas'),
    client.setting(topic.name, 'unclean.leader.election.enable'),
  ]);
  const weak = [
    ...(topic.copies < SAFE_COPIES ? [`it has ${copies(topic.copies)}, and ${SAFE_COPIES} are recommended`] : []),
    ...(inSync !== undefined && Number(inSync) < SAFE_IN_SYNC
      ? [`its \`min.insync.replicas\` is ${inSync}, and ${SAFE_IN_SYNC} is recommended`]
      : []),
    ...(unclean === 'true' ? ['its `unclean.leader.election.enable` is true'] : []),
  ];
  if (weak.length === 0) return undefined;
  return `Topic '${topic.name}' can lose acknowledged records if a broker fails: ${weak.join('; ')}`;
}

function copies(count: number): string {
  return count === 1 ? 'one copy' : `${count} copies`;
}
