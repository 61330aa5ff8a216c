/**
 * Classifies failed calls by what they prove about the upstream and the record.
 *
 * Guarantees: the fields of an error decide (`blame`, `status`, `retryable`, the codes of its causes), never its
 * message. A thrown value whose fields cannot be read is a failure of its record.
 */
import { fieldOf, MillraceError } from '../model/errors.js';
import { UpstreamError } from '../model/upstream-error.js';

/**
 * - `unsent`: the call never left this process. It proves nothing about the upstream.
 * - `record`: the upstream works and refuses this record.
 * - `load`: the upstream works and asks for fewer calls.
 * - `answer`: the upstream answered this call with a failure of its own (500). The record or the upstream may be the
 *   cause.
 * - `silence`: the upstream gave no answer of its own (502, 503, 504, a lost connection, a timeout).
 * - `credentials`: the upstream refuses the caller (401, 402, 407, a quota that is used up).
 * - `access`: the upstream refuses this kind of call, perhaps for each record (403, 405, 415).
 */
export type FailureKind = 'unsent' | 'record' | 'load' | 'answer' | 'silence' | 'credentials' | 'access';

const CREDENTIALS: ReadonlySet<number> = new Set([401, 402, 407]);
const ACCESS: ReadonlySet<number> = new Set([403, 405, 415]);
const UNSENT: ReadonlySet<string> = new Set(['MILLRACE_TASK', 'MILLRACE_INVALID_INPUT']);
/** Codes of a host that is unknown, or that accepts no connection on the port. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
]);
/** Limits the search, because a chain of causes may be a cycle. */
const MOST_CAUSES = 8;

/** The kind of a failure. */
export function failureKind(error: unknown): FailureKind {
  if (!(error instanceof UpstreamError)) {
    return error instanceof MillraceError && UNSENT.has(error.code) ? 'unsent' : 'record';
  }
  const { blame, status, code, retryable } = error;
  if (blame === 'record') {
    if (UNSENT.has(code)) return 'unsent';
    if (status === undefined) return 'record';
    return CREDENTIALS.has(status) ? 'credentials' : ACCESS.has(status) ? 'access' : 'record';
  }
  // A 429 that is not retryable means that a quota is used up.
  if (blame === 'load') return retryable ? 'load' : 'credentials';
  if (status === undefined) return code === 'MILLRACE_RPC' ? 'answer' : 'silence';
  return isGatewayStatus(status) ? 'silence' : 'answer';
}

/** Whether this failure is an answer of the upstream or of a gateway in front of it. */
export function isHeard(error: unknown): boolean {
  return error instanceof UpstreamError && (error.status !== undefined || error.code === 'MILLRACE_RPC');
}

/** Whether no connection could be made, because the host is unknown or nothing listens. */
export function isUnreachable(error: unknown): boolean {
  let at = error;
  for (let depth = 0; depth < MOST_CAUSES && typeof at === 'object' && at !== null; depth++) {
    const code = fieldOf(at, 'code');
    if (typeof code === 'string' && UNREACHABLE.has(code)) return true;
    at = fieldOf(at, 'cause');
  }
  return false;
}

/**
 * Statuses with which a server or a gateway reports that the service is unavailable: RFC 9110, and 520 to 530 of
 * Cloudflare.
 */
function isGatewayStatus(status: number): boolean {
  return status === 408 || (status >= 502 && status <= 504) || (status >= 520 && status <= 530);
}
