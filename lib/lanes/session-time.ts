/** The time after which the brokers expel a worker that died, for messages. */
import type { KafkaPort } from '../connectors/kafka/port.js';
import { describeMs } from '../text/quantities.js';

/** Such as `6 s`; the default of Kafka for a client that may not read the setting. */
export async function sessionText(client: Pick<KafkaPort, 'sessionMs'>, group: string): Promise<string> {
  const ms = await client.sessionMs(group);
  return ms === undefined ? '45 s (unless the brokers have another setting)' : describeMs(ms);
}
