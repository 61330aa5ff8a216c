/**
 * The meaning of the errors of Spark, by their error class.
 *
 * Guarantees: no decision depends on the text of a message. The status of gRPC alone decides only whether the server
 * could be reached, because Spark reports a syntax error, a division by zero and a cancelled query with the same
 * status.
 */
import type { ServiceError } from '@grpc/grpc-js';
import { describeThrown } from '../../connect/index.js';
import { ErrorInfo, Status } from './protocol/messages.js';

/**
 * `lost`: the connection broke, and the execution may go on. `gone`: the server no longer has the session, the
 * execution or its rows. `cancelled`: the execution was cancelled. `row`: values of the statement are wrong.
 * `statement`: the statement itself failed.
 */
export type SparkFailure = 'lost' | 'gone' | 'cancelled' | 'row' | 'statement';

/** The report of Spark about a failure. */
export interface SparkReport {
  readonly failure: SparkFailure;
  /** Such as `TABLE_OR_VIEW_NOT_FOUND`; undefined if Spark did not answer, or gave none. */
  readonly errorClass: string | undefined;
  readonly sqlState: string | undefined;
  /** The sentence of Spark, with the error class and the SQLSTATE. */
  readonly message: string;
}

const INTERNAL = 13;
const UNAVAILABLE = 14;
/** SQLSTATE classes that concern values: cardinality, data exceptions, constraints. */
const ROW = /^(?:21|22|23)/;
const DISCONNECTED = 'INVALID_CURSOR.DISCONNECTED';

export function reportOf(error: unknown): SparkReport {
  const { code, details, metadata } = error as Partial<ServiceError>;
  const info = metadata === undefined ? undefined : infoOf(metadata.get('grpc-status-details-bin')[0]);
  const message = typeof details === 'string' && details !== '' ? details : describeThrown(error);
  const errorClass = info?.get('errorClass');
  const sqlState = info?.get('sqlState');
  const tail = sqlState === undefined || message.includes(sqlState) ? '' : ` (SQLSTATE ${sqlState})`;
  return {
    failure: failureOf(code, info, errorClass, sqlState),
    errorClass,
    sqlState,
    message: shorten(message) + tail,
  };
}

/**
 * The error class that Spark gave, such as `DIVIDE_BY_ZERO`, of an error or of its causes; undefined if there is none.
 */
export function errorClassOf(error: unknown): string | undefined {
  for (let one = error; one instanceof Error; one = one.cause) {
    const { errorClass } = reportOf(one);
    if (errorClass !== undefined) return errorClass;
  }
  return undefined;
}

function failureOf(
  code: number | undefined,
  info: ReadonlyMap<string, string> | undefined,
  errorClass: string | undefined,
  sqlState: string | undefined,
): SparkFailure {
  if (errorClass === DISCONNECTED || code === UNAVAILABLE) return 'lost';
  // The stream was reset below the protocol.
  if (info === undefined && code === INTERNAL) return 'lost';
  // The server omits the error class when the values in the message are long.
  if (errorClass === undefined) return ROW.test(sqlState ?? '') ? 'row' : 'statement';
  if (/^INVALID_(?:HANDLE|CURSOR)\b/.test(errorClass)) return 'gone';
  if (errorClass === 'OPERATION_CANCELED') return 'cancelled';
  return ROW.test(sqlState ?? '') ? 'row' : 'statement';
}

/** The details of an error; undefined if the server has sent none. */
function infoOf(trailer: unknown): ReadonlyMap<string, string> | undefined {
  if (!(trailer instanceof Uint8Array)) return undefined;
  try {
    const [first] = Status.decode(trailer).details ?? [];
    if (first?.value === undefined) return new Map();
    const { metadata = [] } = ErrorInfo.decode(first.value);
    return new Map(metadata.map(({ key = '', value = '' }) => [key, value]));
  } catch {
    return new Map();
  }
}

const MAX_LENGTH = 1500;

/** Spark adds the stack of the executor to its sentence. */
function shorten(message: string): string {
  const [before = ''] = message.split(/\n\tat |\nDriver stacktrace:/, 1);
  const text = before.trim();
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}
