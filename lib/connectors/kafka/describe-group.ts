/**
 * The request that describes a group of KIP-848, with an encoding of our own: that of the package reads the list of a
 * member's topics as one text, and fails for every group that has members.
 */
import type * as Package from '@platformatic/kafka';

const CONSUMER_GROUP_DESCRIBE = 69;
const VERSION = 0;
const UNKNOWN_GROUP = 69;

/** The partitions of one topic that a member has. */
interface TopicPartitions {
  readonly topicId: string;
  readonly partitions: readonly number[];
}

/** A group as its coordinator describes it. */
export interface DescribedGroup {
  readonly errorCode: number;
  readonly members: readonly {
    readonly memberId: string;
    readonly clientId: string;
    readonly clientHost: string;
    readonly assigned: readonly TopicPartitions[];
    /** The partitions that the member should have once others have given them up. */
    readonly target: readonly TopicPartitions[];
  }[];
}

/** Resolves with undefined if there is no such group. Rejects with the errors of the package. */
export async function describeGroup(
  kafka: typeof Package,
  connection: Package.Connection,
  group: string,
): Promise<DescribedGroup | undefined> {
  const api = kafka.createAPI<[string], readonly DescribedGroup[]>(
    CONSUMER_GROUP_DESCRIBE,
    VERSION,
    (name: string) =>
      kafka.Writer.create()
        .appendArray([name], (writer, one) => writer.appendString(one), true, false)
        .appendBoolean(false)
        .appendTaggedFields(),
    (_correlationId, _key, _version, reader) => {
      reader.readInt32();
      return reader.readArray((one) => groupIn(one));
    },
  );
  const [found] = await api.async(connection, group);
  if (found === undefined || found.errorCode === UNKNOWN_GROUP) return undefined;
  if (found.errorCode !== 0) throw new kafka.ProtocolError(found.errorCode);
  return found;
}

/** Reads all fields in their order; each array ends with the tagged fields of its elements. */
function groupIn(reader: Package.Reader): DescribedGroup {
  const errorCode = reader.readInt16();
  // The message, the id, the state, two epochs and the assignor.
  reader.readNullableString();
  reader.readString();
  reader.readString();
  reader.readInt32();
  reader.readInt32();
  reader.readString();
  const members = reader.readArray((member) => {
    const memberId = member.readString();
    // The ids of the instance and of the rack, and the epoch.
    member.readNullableString();
    member.readNullableString();
    member.readInt32();
    const [clientId, clientHost] = [member.readString(), member.readString()];
    // The names of topics, and the pattern.
    member.readArray((name) => name.readString(), true, false);
    member.readNullableString();
    return { memberId, clientId, clientHost, assigned: assignmentIn(member), target: assignmentIn(member) };
  });
  // The allowed operations, which were not asked for.
  reader.readInt32();
  return { errorCode, members };
}

function assignmentIn(reader: Package.Reader): readonly TopicPartitions[] {
  const found = reader.readArray((topic) => {
    const topicId = topic.readUUID();
    topic.readString();
    return { topicId, partitions: topic.readArray((one) => one.readInt32(), true, false) };
  });
  reader.readTaggedFields();
  return found;
}
