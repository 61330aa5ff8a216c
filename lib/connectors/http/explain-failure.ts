/**
 * Classifies failed axios requests: the cause, and whether the request may be repeated.
 *
 * Guarantees: status and code decide, never a message. A request with an unknown outcome is repeated only if that is
 * safe.
 */
import {
  FatalTaskError,
  MillraceError,
  UpstreamError,
  describeThrown,
  describeValue,
  type Blame,
} from '../../connect/index.js';
import { codeIn, configurationFault, remedyOf } from '../request/configuration-fault.js';
import { noDescriptor } from '../request/no-descriptor.js';
import { parseRetryAfter } from '../request/retry-after.js';
import { isPermanentStatus, isQuotaUsedUp, isRetryableStatus } from '../request/retryable-status.js';

export interface FailureContext {
  /** The name of the upstream in messages. */
  readonly upstream: string;
  readonly task: string;
  /** Whether a request that may have taken effect may be sent again. */
  readonly isIdempotent: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whether the upstream has answered any request of the run. */
  readonly hasAnswered?: boolean;
  /** Whether connections go to a unix socket. */
  readonly isUnixSocket?: boolean;
}

/** The parts of an AxiosError that matter here. A user's interceptor may throw anything. */
interface AxiosFailure {
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly response?: { readonly status: number; readonly data: unknown; readonly headers?: Record<string, unknown> };
}

/** The connection was never made, so the request had no effect. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
/** The request itself is not valid HTTP. */
const UNSENDABLE = new Set([
  'ERR_INVALID_CHAR',
  'ERR_INVALID_HTTP_TOKEN',
  'ERR_HTTP_INVALID_HEADER_VALUE',
  'UND_ERR_INVALID_ARG',
]);
const UNREADABLE = 'ERR_BAD_RESPONSE';
const PROXY_CREDENTIALS = 407;

export function explainFailure(error: unknown, context: FailureContext): unknown {
  if (error instanceof MillraceError) return error;
  const { response, code, cause } = (typeof error === 'object' && error !== null ? error : {}) as AxiosFailure;
  const { upstream, task, isIdempotent } = context;
  if (cause instanceof UpstreamError) return nameUpstream(cause, context);
  if (response !== undefined) {
    // A success status with a body that could not be parsed.
    if (code === UNREADABLE && response.status < 400) {
      return new UpstreamError(
        'MILLRACE_BAD_RESPONSE',
        `${upstream} answered '${task}' with something that is not JSON: ${describeValue(response.data, 200)}`,
        { cause: error, blame: 'record', retryable: isIdempotent },
      );
    }
    return statusError(response.status, response.data, response.headers?.['retry-after'], error, context);
  }
  if (code === UNREADABLE) {
    return new UpstreamError(
      'MILLRACE_RESPONSE_LIMIT',
      `The answer of ${upstream} to '${task}' is larger than \`maxResponseBytes\` allows: ${describeThrown(error)}`,
      { cause: error, blame: 'record' },
    );
  }
  const named = codeIn(error);
  const ours = noDescriptor(error, named, context);
  if (ours !== undefined) return ours;
  const remedy = remedyOf(named, context.isUnixSocket);
  if (remedy !== undefined && context.hasAnswered !== true) return configurationFault(error, named, remedy, context);
  const why = `${describeThrown(error)}${named === '' ? '' : ` (${named})`}${remedy === undefined ? '' : `. ${remedy}`}`;
  // Once the upstream has answered, a header that cannot be sent comes from the record.
  if (UNSENDABLE.has(named)) {
    return new UpstreamError('MILLRACE_TASK', `The request of '${task}' to ${upstream} could not be made: ${why}`, {
      cause: error,
      blame: 'record',
    });
  }
  return new UpstreamError('MILLRACE_NETWORK', `${upstream} cannot be reached by '${task}': ${why}`, {
    cause: error,
    blame: 'upstream',
    retryable: remedy !== undefined || NOT_SENT.has(named) || isIdempotent,
  });
}

/** The error of a body that cannot be serialized. Nothing was sent. */
export function unwritableBody(error: unknown, { upstream, task }: FailureContext): UpstreamError {
  return new UpstreamError(
    'MILLRACE_TASK',
    `The request of '${task}' to ${upstream} could not be made: ${describeThrown(error)}`,
    { cause: error, blame: 'record' },
  );
}

/** The error of a status. `retryAfter` is the header as received, or a number of seconds. */
export function statusError(
  status: number,
  body: unknown,
  retryAfter: unknown,
  cause: unknown,
  { upstream, task, isIdempotent, now }: FailureContext,
): UpstreamError | FatalTaskError {
  if (status === PROXY_CREDENTIALS) {
    return new FatalTaskError(
      'MILLRACE_HTTP_STATUS',
      `The proxy before ${upstream} asks '${task}' for credentials (status 407). Name them in \`proxy\`, or in HTTP_PROXY and HTTPS_PROXY, as a user and a password before the host`,
      { cause },
    );
  }
  const blame: Blame = status === 429 ? 'load' : status >= 500 || status === 408 ? 'upstream' : 'record';
  return new UpstreamError(
    'MILLRACE_HTTP_STATUS',
    `${upstream} answered '${task}' with status ${status}: ${describeValue(body, 200)}`,
    {
      cause,
      blame: isPermanentStatus(status) ? 'record' : blame,
      status,
      retryAfterMs: parseRetryAfter(retryAfter, now),
      retryable: isRetryableStatus(status, isIdempotent) && !(status === 429 && isQuotaUsedUp(body)),
    },
  );
}

/** Adds the upstream to the error of an answer. */
export function nameUpstream(cause: UpstreamError, { upstream, task, isIdempotent }: FailureContext): UpstreamError {
  const { code, blame, message, retryable, status, retryAfterMs } = cause;
  return new UpstreamError(code, `${upstream} answered '${task}': ${message}`, {
    cause,
    blame,
    status,
    retryAfterMs,
    retryable: retryable && isIdempotent,
  });
}
