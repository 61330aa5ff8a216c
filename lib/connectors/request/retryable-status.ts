/**
 * Decides from an HTTP status whether another attempt may succeed. WebSocket errors that carry a status follow the same
 * rules.
 */

/**
 * Whether another attempt may succeed. 425, 429 and 503 refuse a request before any work was done. Other server errors
 * are safe to repeat only if the request is idempotent.
 */
export function isRetryableStatus(status: number, isIdempotent: boolean): boolean {
  if (status === 425 || status === 429 || status === 503) return true;
  return isIdempotent && (status === 408 || (status >= 500 && !isPermanentStatus(status)));
}

/** Not implemented, HTTP version, loop, not extended: the server works, and will answer the same again. */
export function isPermanentStatus(status: number): boolean {
  return status === 501 || status === 505 || status === 508 || status === 510;
}

/** Codes by which APIs distinguish a quota that is used up from a rate that is too high. Both have the status 429. */
const USED_UP: ReadonlySet<unknown> = new Set([
  'billing_hard_limit_reached',
  'billing_not_active',
  'insufficient_quota',
  'insufficient_credits',
]);

/** Whether the body of a 429 reports, by the code or the type of its error, that no wait will help. */
export function isQuotaUsedUp(body: unknown): boolean {
  const error = memberOf(body, 'error') ?? body;
  return USED_UP.has(memberOf(error, 'code')) || USED_UP.has(memberOf(error, 'type'));
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
