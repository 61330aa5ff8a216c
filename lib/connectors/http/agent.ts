/** The connections of an adapter. Loaded only with the first request that is sent. */
import { Agent } from 'undici';

export function makeAgent(connections: number, connectTimeoutMs: number): Agent {
  return new Agent({
    connections,
    pipelining: 1,
    // The attempt's own deadline covers all of these; undici's would only add timers, and never stop a slow drip.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 30_000,
    connect: { timeout: connectTimeoutMs },
  });
}
