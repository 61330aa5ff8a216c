/** The membership of workers on a real broker, while answers are lost. */
import { afterEach, describe, expect, it, jest } from '@jest/globals';
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

describe('the lease of a worker', () => {
  const BEAT_MS = 60_000;
  const LEASE_MS = 8 * BEAT_MS;
  afterEach(() => {
    jest.restoreAllMocks();
  });

  const joined = async (): Promise<Membership> => {
    const port = { name: 'topic', id: 'topic', cluster: 'fake', partitions: 1, copies: 1 };
    let onAssigned = (): void => undefined;
    const assigned = new Promise<void>((resolve) => (onAssigned = resolve));
    const client = {
      beat: () => Promise.resolve({ kind: 'member', epoch: 1, beatEveryMs: BEAT_MS, assigned: [0] }),
    } as unknown as KafkaPort;
    const membership = new Membership({
      ...{ client, group: 'group', topic: port, rebalanceTimeoutMs: 1000 },
      assign: () => {
        onAssigned();
      },
      release: () => Promise.resolve(),
      lose: () => Promise.resolve(),
    });
    void membership.participate(1000);
    await assigned;
    return membership;
  };
  const shift = (clock: { now(): number }, ms: number): void => {
    const real = clock.now.bind(clock);
    jest.spyOn(clock, 'now').mockImplementation(() => real() + ms);
  };
  const lost = expect.objectContaining({ code: 'MILLRACE_LOCKED' }) as unknown as Error;

  it('is over when the machine has slept, in which the monotonic clock stands still', async () => {
    const membership = await joined();
    membership.assertOwned();
    shift(Date, LEASE_MS);
    expect(() => {
      membership.assertOwned();
    }).toThrow(lost);
    await membership.leave();
  });

  it('is over when the time has passed, although the calendar was set back', async () => {
    const membership = await joined();
    shift(Date, -3_600_000);
    membership.assertOwned();
    shift(performance, LEASE_MS);
    expect(() => {
      membership.assertOwned();
    }).toThrow(lost);
    await membership.leave();
  });
});
