/**
 * Membership in a group, on the raw request of KIP-848: the brokers divide the partitions, and a member reports its
 * own.
 */
import { MillraceError } from '../../connect/index.js';
import type { Brokers } from './brokers.js';
import { faultOf, runErrorOf } from './client-faults.js';
import { describeGroup } from './describe-group.js';
import type { GroupAnswer, GroupBeat, GroupMember } from './port.js';

const JOINING = 0;
const EXPELLED = ['UNKNOWN_MEMBER_ID', 'FENCED_MEMBER_EPOCH', 'STALE_MEMBER_EPOCH'];
const CONSUMER = 'consumer';
const WITHOUT_MEMBERS = ['Empty', 'Dead'];
const TOO_OLD = ['UNSUPPORTED_VERSION', 'GROUP_ID_NOT_FOUND'];

export class GroupRequests {
  private readonly brokers: Brokers;

  constructor(brokers: Brokers) {
    this.brokers = brokers;
  }

  hasMembers(group: string): Promise<boolean> {
    return this.brokers.repeat(`look up the members of group '${group}'`, async () => {
      const connection = await this.brokers.coordinator('group', group);
      const { groups } = await this.brokers.kafka.listGroupsV5.api.async(connection, [], [CONSUMER]);
      const found = groups.find(({ groupId }) => groupId === group);
      return found !== undefined && !WITHOUT_MEMBERS.includes(found.groupState);
    });
  }

  members(group: string, topicId: string): Promise<readonly GroupMember[] | undefined> {
    return this.brokers.repeat(`look up the members of group '${group}'`, async () => {
      const connection = await this.brokers.coordinator('group', group);
      const found = await describeGroup(this.brokers.kafka, connection, group);
      return found?.members.map(({ memberId: member, clientHost, assigned, target }) => {
        const of = (given: typeof assigned): readonly number[] =>
          given.flatMap((one) => (one.topicId === topicId ? one.partitions : []));
        // Brokers write a slash in front of an address.
        return { member, host: clientHost.replace(/^\//, ''), owned: of(assigned), wanted: of(target) };
      });
    });
  }

  async beat({ group, member, epoch, topic, owned, rebalanceTimeoutMs }: GroupBeat): Promise<GroupAnswer> {
    const { kafka } = this.brokers;
    try {
      const connection = await this.brokers.coordinator('group', group);
      // With all fields, each answer has the assignment. Otherwise only the first one has it, and that may be lost.
      const names = [topic.name];
      const partitions = epoch === JOINING ? [] : [{ topicId: topic.id, partitions: [...owned] }];
      const { memberEpoch, heartbeatIntervalMs, assignment } = await kafka.consumerGroupHeartbeatV0.api.async(
        ...([connection, group, member, epoch, null, null, rebalanceTimeoutMs] as const),
        ...([names, null, null, partitions] as const),
      );
      const assigned = assignment?.topicPartitions.flatMap((own) => (own.topicId === topic.id ? own.partitions : []));
      return { kind: 'member', epoch: memberEpoch, beatEveryMs: heartbeatIntervalMs, assigned };
    } catch (error) {
      const { answers, isStale, isPassing } = faultOf(error);
      if (answers.some((answer) => EXPELLED.includes(answer))) return { kind: 'expelled' };
      if (isStale) this.brokers.forget();
      if (isPassing) {
        throw new MillraceError(
          'MILLRACE_NETWORK',
          `The coordinator of group '${group}' does not answer at the moment`,
          {
            cause: error,
            retryable: true,
          },
        );
      }
      if (!answers.some((answer) => TOO_OLD.includes(answer))) throw runErrorOf(`join group '${group}'`, error);
      throw new MillraceError(
        'MILLRACE_KAFKA',
        `Workers need brokers of Kafka 4.0 or newer, which divide partitions by KIP-848 (${answers.join(', ')}), and '${group}' must not be a group of another kind`,
        { cause: error },
      );
    }
  }
}
