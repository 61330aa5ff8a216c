/**
 * What a failed axios request means: whose fault it is, and whether it may be repeated. Promise: decided by status and
 * code, never by a message; a request whose outcome is unknown is repeatable only where that is safe.
 */
import { describeThrown, describeValue, MillraceError } from '../../model/errors.js';
import { UpstreamError, type Blame } from '../../model/upstream-error.js';
import { parseRetryAfter } from './retry-after.js';

export interface FailureContext {
  /** What was called, for messages. */
  readonly upstream: string;
  readonly task: string;
  /** Whether a request that may have had its effect may be sent again. */
  readonly isIdempotent: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The parts of an AxiosError that are looked at; a user's interceptor may throw anything. */
interface AxiosFailure {
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly response?: { readonly status: number; readonly data: unknown; readonly headers?: Record<string, unknown> };
}

/** The connection was never made, so nothing has happened over there. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
/** Trying again will not make a certificate right. */
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
    // A success whose body could not be parsed.
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

/** Nobody wraps an error more often; a cause may lead back to where it came from. */
const MOST_CAUSES = 8;

/** What went wrong; '' where nobody says it. Whoever wraps an error, as fetch does, leaves the code to its cause. */
function codeIn(error: unknown): string {
  let at = error;
  for (let depth = 0; depth < MOST_CAUSES && typeof at === 'object' && at !== null; depth++) {
    const { code, cause } = at as AxiosFailure;
    if (typeof code === 'string') return code;
    at = cause;
  }
  return '';
}

/** A body that cannot be written, so that nothing was sent. */
export function unwritableBody(error: unknown, { upstream, task }: FailureContext): UpstreamError {
  return new UpstreamError(
    'MILLRACE_TASK',
    `The request of '${task}' to ${upstream} could not be made: ${describeThrown(error)}`,
    { cause: error, blame: 'record' },
  );
}

/** The failure a status stands for. `retryAfter` is the header as it came, or a number of seconds. */
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
      blame: isFinal(status) ? 'record' : blame,
      status,
      retryAfterMs: parseRetryAfter(retryAfter, now),
      retryable: isRetryableStatus(status, isIdempotent),
    },
  );
}

/** Not implemented, no such HTTP version, loop, not extended: the server is well, and will say the same again. */
function isFinal(status: number): boolean {
  return status === 501 || status === 505 || status === 508 || status === 510;
}

/** Turned away before any work was done (425, 429, 503), or failed at it, which is safe to repeat with a key. */
export function isRetryableStatus(status: number, isIdempotent: boolean): boolean {
  if (status === 425 || status === 429 || status === 503) return true;
  return isIdempotent && (status === 408 || (status >= 500 && !isFinal(status)));
}

/** The failure of one answer, told with who answered. */
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
