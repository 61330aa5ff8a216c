/**
 * Classifies the errors of the client package: the answer of the broker, and whether a repeated request may succeed.
 */
import { describeThrown, MillraceError } from '../../connect/index.js';

/** One error of the client package. */
export interface ClientFault {
  /** The names of the broker's errors, such as NOT_LEADER_OR_FOLLOWER; none if no broker answered. */
  readonly answers: readonly string[];
  /** Whether the same request may succeed a moment later. */
  readonly isPassing: boolean;
  /** Whether leaders or coordinators may have changed. */
  readonly isStale: boolean;
}

/** Answers after which leaders and coordinators are looked up again. */
const STALE = [
  ...['LEADER_NOT_AVAILABLE', 'NOT_LEADER_OR_FOLLOWER', 'FENCED_LEADER_EPOCH', 'UNKNOWN_LEADER_EPOCH'],
  ...['REPLICA_NOT_AVAILABLE', 'KAFKA_STORAGE_ERROR', 'UNKNOWN_TOPIC_OR_PARTITION'],
  ...['COORDINATOR_LOAD_IN_PROGRESS', 'COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR'],
];
const PASSING = [
  ...STALE,
  ...['REQUEST_TIMED_OUT', 'NETWORK_EXCEPTION', 'NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'],
  // A new leader does not know its end until the other copies have confirmed it.
  'OFFSET_NOT_AVAILABLE',
  ...['CONCURRENT_TRANSACTIONS', 'UNSTABLE_OFFSET_COMMIT', 'THROTTLING_QUOTA_EXCEEDED', 'CORRUPT_MESSAGE'],
];
/** Answers to a producer that another one has replaced, or whose transaction the broker has aborted. */
const FENCED = ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING', 'UNKNOWN_PRODUCER_ID'];
/** Codes of the package for failures below the protocol. */
const NETWORK = ['PLT_KFK_NETWORK', 'PLT_KFK_TIMEOUT'];

interface PackageError {
  readonly code?: unknown;
  readonly apiId?: unknown;
  readonly errors?: readonly unknown[];
  readonly cause?: unknown;
}

export function faultOf(error: unknown): ClientFault {
  const answers: string[] = [];
  const kinds = new Set<'network' | 'other'>();
  const look = (one: unknown): void => {
    if (typeof one !== 'object' || one === null) return;
    const { code, apiId, errors, cause } = one as PackageError;
    if (typeof apiId === 'string') answers.push(apiId);
    else if (NETWORK.includes(String(code))) kinds.add('network');
    else if (errors === undefined) kinds.add('other');
    for (const inner of errors ?? []) look(inner);
    // A refused login is the cause of a failed connection, and is not temporary.
    if ((cause as PackageError | undefined)?.code === 'PLT_KFK_AUTHENTICATION') kinds.add('other');
  };
  look(error);
  const isKnown = answers.length > 0 || kinds.has('network');
  return {
    answers,
    isPassing: isKnown && !kinds.has('other') && answers.every((answer) => PASSING.includes(answer)),
    isStale: kinds.has('network') || answers.some((answer) => STALE.includes(answer)),
  };
}

/** Why no broker could be reached, in one or two words where the system has a code for it. */
export function reasonOf(error: unknown): string {
  for (let one = error, depth = 0; typeof one === 'object' && one !== null && depth < 5; depth++) {
    const { code, errors, cause } = one as PackageError;
    if (typeof code === 'string' && /^E[A-Z]+(_[A-Z]+)?$/.test(code)) return code;
    one = errors?.[0] ?? cause;
  }
  return describeThrown(error);
}

/** The error of a run for an error of the package. `what` continues "Kafka could not". */
export function runErrorOf(what: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  const { answers } = faultOf(error);
  if (answers.some((answer) => FENCED.includes(answer))) {
    return new MillraceError(
      'MILLRACE_LOCKED',
      `Kafka could not ${what} (${answers.join(', ')}): another process writes with this transactional id, or the transaction took longer than \`transactionTimeoutMs\`. Resume the run where no other process works on it`,
      { cause: error },
    );
  }
  const reason = answers.length > 0 ? `${answers.join(', ')}: ${describeThrown(error)}` : describeThrown(error);
  return answers.length > 0
    ? new MillraceError('MILLRACE_KAFKA', `Kafka could not ${what}: ${reason}`, { cause: error })
    : new MillraceError(
        'MILLRACE_NETWORK',
        `Kafka could not ${what}: ${reason}. Check the addresses of the brokers, their logs, and the login if they ask for one`,
        { cause: error, retryable: true },
      );
}
