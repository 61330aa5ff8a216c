/**
 * What goes wrong over a WebSocket, in the terms policies decide by. Promise: decided by what happened and by codes,
 * never by a message; a call whose outcome is unknown is repeatable only where that is safe.
 */
import { FatalTaskError, describeThrown, type MillraceError } from '../../model/errors.js';
import type { Clock } from '../../model/ports.js';
import { UpstreamError } from '../../model/upstream-error.js';
import { isRetryableStatus } from '../http/explain-failure.js';
import { parseRetryAfter } from '../http/retry-after.js';
import type { RemoteError } from './codec.js';
import type { LinkEnd } from './socket-link.js';

export interface SocketErrorContext {
  /** What was called, for messages. */
  readonly upstream: string;
  readonly task: string;
  readonly isIdempotent: boolean;
  readonly maxPayloadBytes: number;
  readonly clock: Clock;
}

/** What the end of a connection means for the calls that it leaves unanswered. */
export function lossError(end: LinkEnd, parts: SocketErrorContext): MillraceError {
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
  if (response !== undefined && response.status < 500 && ![408, 425, 429].includes(response.status)) {
    return new FatalTaskError(
      'MILLRACE_HTTP_STATUS',
      `${upstream} refuses the connection of '${task}' with status ${response.status}. Check the URL and the \`headers\``,
      { cause },
    );
  }
  return new UpstreamError(
    'MILLRACE_NETWORK',
    `The connection of '${task}' to ${upstream} ${end.wasOpen ? 'was lost' : 'cannot be made'}: ${describeThrown(cause)}`,
    {
      cause,
      blame: response?.status === 429 ? 'load' : 'upstream',
      retryAfterMs: parseRetryAfter(response?.retryAfter, clock.now()),
      // What was never sent has had no effect.
      retryable: isIdempotent || !end.wasOpen,
    },
  );
}

/** What an error that the upstream sent as a reply means. */
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
