/** The membership of workers on a real broker, while answers are lost. */
import { expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError } from 'millrace';
import type { GroupAnswer, GroupBeat, KafkaPort } from '#lib/connectors/kafka/port.js';
import { openClient } from '#lib/connectors/kafka/raw-client.js';
import { Membership } from '#lib/lanes/membership.js';
import { describeWithBroker } from '../kafka/with-broker.js';

describeWithBroker('the membership of a worker', (broker) => {
  it('learns of a lane whose assignment was in an answer that was lost', async () => {
    const client = await openClient(broker().cluster);
    const topic = await client.describe(await broker().topic(2));
    const group = topic.name;
    const beat = { group, topic, rebalanceTimeoutMs: 10_000, member: globalThis.crypto.randomUUID() };
    // A new group has no coordinator at first.
    await client.committed(group, topic, 'current');
    let first = (await client.beat({ ...beat, epoch: 0, owned: [] })) as Extract<GroupAnswer, { kind: 'member' }>;
    const held = new Set([0, 1]);
    const lost = { answers: 0 };
    const losing = {
      beat: async (one: GroupBeat): Promise<GroupAnswer> => {
        const answer = await client.beat(one);
        const isNews = one.epoch > 0 && answer.kind === 'member' && (answer.assigned?.length ?? 0) > 0;
        if (!isNews || lost.answers > 0) return answer;
        lost.answers++;
        throw new MillraceError('MILLRACE_NETWORK', 'The connection was reset', { retryable: true });
      },
    } as KafkaPort;
    const assigned: number[] = [];
    const second = new Membership({
      ...{ client: losing, group, topic, rebalanceTimeoutMs: 10_000 },
      assign: (lanes) => assigned.push(...lanes),
      release: () => Promise.resolve(),
      lose: () => Promise.resolve(),
    });
    const over = second.participate(10_000);
    for (let turn = 0; turn < 200 && assigned.length === 0; turn++) {
      // The first worker gives up what the group takes from it.
      const answer = await client.beat({ ...beat, epoch: first.epoch, owned: [...held] });
      first = answer as typeof first;
      for (const lane of held) if (first.assigned?.includes(lane) === false) held.delete(lane);
      await sleep(50);
    }
    expect([lost.answers, assigned.length, held.size]).toEqual([1, 1, 1]);
    await second.leave();
    await over;
    await client.beat({ ...beat, epoch: -1, owned: [] });
    await client.close();
  }, 60_000);
});
