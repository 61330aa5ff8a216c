/** What an HTTP status means for another attempt. WebSocket errors that carry a status follow the same rules. */

/**
 * Whether another attempt may succeed. 425, 429 and 503 refuse a request before any work was done. Other server errors are
 * safe to repeat only if the request is idempotent.
 */
export function isRetryableStatus(status: number, isIdempotent: boolean): boolean {
  if (status === 425 || status === 429 || status === 503) return true;
  return isIdempotent && (status === 408 || (status >= 500 && !isPermanentStatus(status)));
}

/** Not implemented, HTTP version, loop, not extended: the server works, and will answer the same again. */
export function isPermanentStatus(status: number): boolean {
  return status === 501 || status === 505 || status === 508 || status === 510;
}
