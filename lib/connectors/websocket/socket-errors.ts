/**
 * Classifies failures over a WebSocket for the policies.
 *
 * Guarantees: events and codes decide, never a message. A call with an unknown outcome is repeated only if that is
 * safe.
 */
import { FatalTaskError, UpstreamError, describeThrown, type Clock, type MillraceError } from '../../connect/index.js';
import { noDescriptor } from '../request/no-descriptor.js';
import { parseRetryAfter } from '../request/retry-after.js';
import { codeIn, configurationFault, remedyOf } from '../request/configuration-fault.js';
import { isRetryableStatus } from '../request/retryable-status.js';
import { REFUSALS } from './close-codes.js';
import type { RemoteError } from './codec.js';
import type { LinkEnd } from './socket-link.js';

export interface SocketErrorContext {
  /** The name of the upstream in messages. */
  readonly upstream: string;
  readonly task: string;
  readonly isIdempotent: boolean;
  /** Whether connections go to a unix socket. */
  readonly isUnixSocket: boolean;
  readonly maxPayloadBytes: number;
  readonly clock: Clock;
}

export function isRefusal({ closeCode, wasOpen }: LinkEnd): boolean {
  return wasOpen && closeCode !== undefined && REFUSALS.has(closeCode);
}

/** The error that ends the run when the upstream refuses one connection after the other. */
export function refusedError({ error: cause }: LinkEnd, { upstream, task }: SocketErrorContext): FatalTaskError {
  return new FatalTaskError(
    'MILLRACE_NETWORK',
    `${upstream} accepts each connection of '${task}' and refuses it before any reply: ${describeThrown(cause)}. Check the \`headers\`, the \`method\` and the credentials`,
    { cause },
  );
}

/** The error of a reply that is not valid in its protocol. */
export function invalidReply(why: string, { upstream, task }: SocketErrorContext): UpstreamError {
  return new UpstreamError('MILLRACE_BAD_RESPONSE', `${upstream} answered '${task}' with an invalid reply: ${why}`, {
    blame: 'record',
  });
}

/**
 * The error of the calls that the end of a connection leaves unanswered.
 * @param hasReplied whether the upstream has replied to any call of the run.
 */
export function lossError(end: LinkEnd, parts: SocketErrorContext, hasReplied: boolean): MillraceError {
  const { upstream, task, isIdempotent, maxPayloadBytes, clock } = parts;
  const { error: cause, response } = end;
  if (end.why === 'limit') {
    return new UpstreamError(
      'MILLRACE_RESPONSE_LIMIT',
      `The answer of ${upstream} to '${task}' has more than ${maxPayloadBytes} bytes. Raise \`maxResponseBytes\` if such answers are right`,
      { cause, blame: 'record' },
    );
  }
  if (end.why === 'garbage') {
    return new UpstreamError(
      'MILLRACE_BAD_RESPONSE',
      `${upstream} answered '${task}' with a message that cannot be read: ${describeThrown(cause)}`,
      { cause, blame: 'record', retryable: isIdempotent },
    );
  }
  if (end.why === 'rejected') {
    return new UpstreamError(
      'MILLRACE_NETWORK',
      `${upstream} ended the connection when '${task}' sent this call: ${describeThrown(cause)}`,
      { cause, blame: 'record', retryable: isIdempotent },
    );
  }
  if (response !== undefined && response.status < 500 && ![408, 425, 429].includes(response.status)) {
    return new FatalTaskError(
      'MILLRACE_HTTP_STATUS',
      `${upstream} refuses the connection of '${task}' with status ${response.status}. Check the URL and the \`headers\``,
      { cause },
    );
  }
  const code = codeIn(cause);
  const ours = end.wasOpen ? undefined : noDescriptor(cause, code, parts);
  if (ours !== undefined) return ours;
  const remedy = end.wasOpen || response !== undefined ? undefined : remedyOf(code, parts.isUnixSocket);
  if (remedy !== undefined && !hasReplied) return configurationFault(cause, code, remedy, parts);
  return new UpstreamError(
    'MILLRACE_NETWORK',
    `The connection of '${task}' to ${upstream} ${end.wasOpen ? 'was lost' : 'cannot be made'}: ${describeThrown(cause)}`,
    {
      cause,
      blame: response?.status === 429 ? 'load' : 'upstream',
      retryAfterMs: parseRetryAfter(response?.retryAfter, clock.now()),
      // A call that was never sent had no effect.
      retryable: isIdempotent || !end.wasOpen,
    },
  );
}

/** The error of a call to which the upstream replied with an error. */
export function remoteError(
  { message, isPassing, status, retryAfter }: RemoteError,
  parts: SocketErrorContext,
): UpstreamError {
  const { upstream, task, isIdempotent, clock } = parts;
  const isDown = status === undefined ? isPassing : status >= 500 || status === 408;
  return new UpstreamError('MILLRACE_RPC', `${upstream} answered '${task}' with an error: ${message}`, {
    blame: status === 429 ? 'load' : isDown ? 'upstream' : 'record',
    status,
    retryAfterMs: parseRetryAfter(retryAfter, clock.now()),
    retryable: status === undefined ? isPassing && isIdempotent : isRetryableStatus(status, isIdempotent),
  });
}
