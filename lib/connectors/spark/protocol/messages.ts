/**
 * The messages of the Spark Connect protocol that this connector exchanges, with the fields that it uses. Their numbers
 * are those of the public protocol, which never change.
 */
import { boolean, bytes, double, integer, message, nested, repeated, string, type ValueOf } from './wire.js';

const UserContext = message({ userId: string(1), userName: string(2) });

const None = message({});
const DataType = message({ null: nested(1, None) });
const Literal = message({
  null: nested(1, DataType),
  binary: bytes(2),
  boolean: boolean(3),
  long: integer(7),
  double: double(11),
  string: string(13),
  timestamp: integer(17),
});
export type Literal = Parameters<typeof Literal.encode>[0];
const Expression = message({ literal: nested(1, Literal) });
const NamedArgument = message({ key: string(1), value: nested(2, Expression) });

const Sql = message({ query: string(1), named: repeated(nested(4, NamedArgument)) });
const LocalRelation = message({ data: bytes(1) });
const RelationFields = { sql: nested(10, Sql), local: nested(11, LocalRelation) };
const Relation = message(RelationFields);
export type Relation = ValueOf<typeof RelationFields>;

const SqlCommand = message({ input: nested(6, Relation) });
const Command = message({ sql: nested(5, SqlCommand) });
const Plan = message({ root: nested(1, Relation), command: nested(2, Command) });
export type Plan = Parameters<typeof Plan.encode>[0];

const Reattachable = message({ isReattachable: boolean(1) });
const RequestOption = message({ reattach: nested(1, Reattachable) });

/** The fields with which nearly all requests begin. */
const head = { sessionId: string(1), user: nested(2, UserContext) };

export const ExecutePlanRequest = message({
  ...head,
  plan: nested(3, Plan),
  clientType: string(4),
  options: repeated(nested(5, RequestOption)),
  operationId: string(6),
  tags: repeated(string(7)),
});

const ArrowBatch = message({ rowCount: integer(1), data: bytes(2), startOffset: integer(3) });
const SqlCommandResult = message({ relation: nested(1, Relation) });
const Stage = message({ tasks: integer(2), completed: integer(3) });
const ProgressFields = { stages: repeated(nested(1, Stage)) };
const Progress = message(ProgressFields);
/** The progress of the tasks of an execution. */
export type Progress = ValueOf<typeof ProgressFields>;
const ResponseFields = {
  arrow: nested(2, ArrowBatch),
  sqlResult: nested(5, SqlCommandResult),
  responseId: string(13),
  complete: nested(14, None),
  serverSessionId: string(15),
  progress: nested(18, Progress),
};
/** A message of the stream of an execution. */
export const ExecutePlanResponse = message(ResponseFields);
export type ExecutePlanResponse = ValueOf<typeof ResponseFields>;

export const ReattachRequest = message({
  ...head,
  operationId: string(3),
  clientType: string(4),
  lastResponseId: string(5),
});
export const ReleaseRequest = message({
  ...head,
  operationId: string(3),
  clientType: string(4),
  all: nested(5, None),
});
export const ReleaseSessionRequest = message({ ...head, clientType: string(3) });
export const InterruptRequest = message({
  ...head,
  clientType: string(3),
  type: integer(4),
  operationId: string(6),
});
export const InterruptResponse = message({ interruptedIds: repeated(string(2)) });
/** The kinds of an interrupt: all operations of a session, or one operation. */
export const ALL = 1;
export const BY_OPERATION = 3;

const ArtifactChunk = message({ data: bytes(1), crc: integer(2) });
const Artifact = message({ name: string(1), data: nested(2, ArtifactChunk) });
const ArtifactBatch = message({ artifacts: repeated(nested(1, Artifact)) });
export const AddArtifactsRequest = message({ ...head, batch: nested(3, ArtifactBatch) });
const ArtifactSummary = message({ name: string(1), isIntact: boolean(2) });
export const AddArtifactsResponse = message({ artifacts: repeated(nested(1, ArtifactSummary)) });

const ConfigPair = message({ key: string(1), value: string(2) });
const ConfigGet = message({ keys: repeated(string(1)) });
const ConfigOperation = message({ get: nested(2, ConfigGet) });
export const ConfigRequest = message({ ...head, operation: nested(3, ConfigOperation) });
export const ConfigResponse = message({ pairs: repeated(nested(2, ConfigPair)), serverSessionId: string(4) });

/** An answer whose fields are not needed. */
export const Nothing = message({});

const MetadataEntry = message({ key: string(1), value: string(2) });
/** The details of an error, in the trailer `grpc-status-details-bin`. */
export const ErrorInfo = message({ reason: string(1), metadata: repeated(nested(3, MetadataEntry)) });
const Any = message({ typeUrl: string(1), value: bytes(2) });
export const Status = message({ message: string(2), details: repeated(nested(3, Any)) });
