/** The connections of an adapter. This module loads undici, so it is imported with the first request. */
import { Agent } from 'undici';

export function makeAgent(connections: number, connectTimeoutMs: number): Agent {
  return new Agent({
    connections,
    pipelining: 1,
    // The timeout of the attempt covers these. The timeouts of undici would only add timers, and do not stop a slow answer.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 30_000,
    connect: { timeout: connectTimeoutMs },
  });
}
