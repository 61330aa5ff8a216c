/**
 * Classifies failed axios requests: what is to blame, and whether the request may be repeated.
 *
 * Guarantees: status and code decide, never a message. A request with an unknown outcome is repeated only if that is safe.
 */
import { MillraceError, UpstreamError, describeThrown, describeValue, type Blame } from '../../connect/index.js';
import { parseRetryAfter } from '../request/retry-after.js';
import { isPermanentStatus, isRetryableStatus } from '../request/retryable-status.js';

export interface FailureContext {
  /** The name of the upstream in messages. */
  readonly upstream: string;
  readonly task: string;
  /** Whether a request that may have taken effect may be sent again. */
  readonly isIdempotent: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
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
/** Another attempt does not fix a certificate. */
const NOT_TRUSTED = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
const UNREADABLE = 'ERR_BAD_RESPONSE';

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
  return new UpstreamError(
    'MILLRACE_NETWORK',
    `${upstream} cannot be reached by '${task}': ${describeThrown(error)}${named === '' ? '' : ` (${named})`}`,
    { cause: error, blame: 'upstream', retryable: NOT_SENT.has(named) || (isIdempotent && !NOT_TRUSTED.has(named)) },
  );
}

/** Limits the search, because a chain of causes may be a cycle. */
const MOST_CAUSES = 8;

/** The first code in the chain of causes, or ''. Errors that wrap others, like those of fetch, have no code themselves. */
function codeIn(error: unknown): string {
  let at = error;
  for (let depth = 0; depth < MOST_CAUSES && typeof at === 'object' && at !== null; depth++) {
    const { code, cause } = at as AxiosFailure;
    if (typeof code === 'string') return code;
    at = cause;
  }
  return '';
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
): UpstreamError {
  const blame: Blame = status === 429 ? 'load' : status >= 500 || status === 408 ? 'upstream' : 'record';
  return new UpstreamError(
    'MILLRACE_HTTP_STATUS',
    `${upstream} answered '${task}' with status ${status}: ${describeValue(body, 200)}`,
    {
      cause,
      blame: isPermanentStatus(status) ? 'record' : blame,
      status,
      retryAfterMs: parseRetryAfter(retryAfter, now),
      retryable: isRetryableStatus(status, isIdempotent),
    },
  );
}

/** Adds the upstream to the error of an answer. */
function nameUpstream(cause: UpstreamError, { upstream, task, isIdempotent }: FailureContext): UpstreamError {
  const { code, blame, message, retryable, status, retryAfterMs } = cause;
  return new UpstreamError(code, `${upstream} answered '${task}': ${message}`, {
    cause,
    blame,
    status,
    retryAfterMs,
    retryable: retryable && isIdempotent,
  });
}
