/** The port between a request task and the transport that its URL names. */
import type { Clock, TaskScope, Upstream } from '../../connect/index.js';
import type { Caller } from '../../calls/call.js';
import type { CallPolicies } from '../../calls/policies/call-policies.js';
import type { Connection } from './connection.js';
import type { RequestOptions } from './request-options.js';
import type { UrlTemplate } from './request-url.js';

/** The default limit of calls in flight per transport. */
export const DEFAULT_HTTP_CONCURRENCY = 64;
export const DEFAULT_SOCKET_CONCURRENCY = 512;

/** The facts about a task that its transport needs. */
export interface TransportParts<In, Out> {
  readonly request: RequestOptions<In, Out>;
  readonly policies: CallPolicies;
  readonly url: UrlTemplate;
  /** Whether a call with an unknown outcome may be repeated. */
  readonly isIdempotent: boolean;
  readonly clock: Clock;
  /** How connections are made. */
  readonly connection: Connection;
  /** Answers in place of the network, in tests. */
  readonly upstream: Upstream | undefined;
}

/**
 * An open transport.
 *
 * Contract: the module of a transport is loaded only when a URL needs it. `caller` is called once per run. `close`
 * closes every connection; it is called once, on every path.
 */
export interface Transport<In, Out> {
  /** The most calls in flight if no policy sets a limit. */
  readonly concurrency: number;
  caller(scope: TaskScope): Caller<In, Out>;
  close(): Promise<void>;
}
