/**
 * The options of a request task: as given, and resolved into policies. Promise: checked once, at the door; an option
 * that does not apply to the transport is refused, never ignored.
 */
import type { AxiosInstance } from 'axios';
import { MillraceError } from '../../model/errors.js';
import {
  anObject,
  anything,
  callback,
  checkCount,
  checkOptions,
  count,
  either,
  flag,
  madeBy,
  number,
  oneOf,
  standardSchema,
  text,
  type OptionRule,
  type OptionRules,
} from '../../options/options.js';
import type { Awaitable, RecordContext } from '../../model/ports.js';
import type { Schema } from '../../options/schema.js';
import { AdaptiveConcurrency, FixedConcurrency } from '../../calls/policies/adaptive-concurrency.js';
import { callPolicies, CallPolicies, type CallPolicy, type PolicySlots } from '../../calls/policies/call-policies.js';
import { CallTimeout } from '../../calls/policies/call-timeout.js';
import { CircuitBreaker, type CircuitBreakerOptions } from '../../calls/policies/circuit-breaker.js';
import { fairBy } from '../../calls/policies/fairness.js';
import { HedgePolicy, type HedgeOptions } from '../../calls/policies/hedge-policy.js';
import { RateLimit, type RateLimitOptions } from '../../calls/policies/rate-limit.js';
import { RetryPolicy, type RetryOptions } from '../../calls/policies/retry-policy.js';
import { SharedLimiter } from '../../calls/policies/shared-limiter.js';
import { TASK_RULES, type TaskOptions } from '../../tasks/task-options.js';
import type { ItemError } from '../http/batch-answer.js';
import { headerNames } from '../http/undici-adapter.js';
import { checkWebSocketOptions, type WebSocketOptions } from '../websocket/web-socket-options.js';

/**
 * Options of `requestTask`. The scheme of `url` chooses the transport; an option of the other
 * transport is refused with MILLRACE_INVALID_OPTION when the run opens.
 */
export interface RequestOptions<In, Out> extends TaskOptions<In, Out> {
  /**
   * Where to send requests, or how to find it out once, when the run opens. http:, https:, ws: or wss:. Fields of the
   * record may fill path and query: `https://api/members/{id}`.
   */
  readonly url: string | (() => Awaitable<string>);
  /** HTTP: default POST. WebSocket: the JSON-RPC method, such as 'ats.predict'; it must be named. */
  readonly method?: string;
  /** What is sent for a record, as JSON. Default: the record itself; nothing for GET, HEAD and DELETE. */
  readonly body?: (record: In, context: RecordContext) => unknown;
  /** Of every request; over WebSocket, of the handshake. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Checks what came back; it is what the task emits. */
  readonly response?: Schema<Out>;
  /** Emit in input order instead of as records finish. Default false. */
  readonly ordered?: boolean;

  /** The most calls in flight; 'auto' finds the best number. Default 64 over HTTP, 512 over WebSocket. */
  readonly concurrency?: number | 'auto' | AdaptiveConcurrency;
  /** The most milliseconds of one attempt, from its start to the last byte of the answer. Default 30,000. */
  readonly timeoutMs?: number;
  /** The most milliseconds of all attempts of a record. Default: none, the budget of `retry` bounds them. */
  readonly recordTimeoutMs?: number;
  /** Default: 5 attempts within two minutes; false: one attempt. */
  readonly retry?: RetryPolicy | RetryOptions | false;
  /** Records a second. Default: no limit. */
  readonly rateLimit?: RateLimit | RateLimitOptions;
  /** Default: pauses the task while the upstream is down, and fails the run after five minutes; false: never pauses. */
  readonly breaker?: CircuitBreaker | CircuitBreakerOptions | false;
  /** A second try for slow calls. Default: none. */
  readonly hedge?: HedgePolicy | HedgeOptions | boolean;
  /** A limit shared with other tasks. */
  readonly limiter?: SharedLimiter;
  /** Records take turns by this key. */
  readonly fairBy?: (record: In) => unknown;
  /** A set to start from; the options above hold before it. */
  readonly policies?: CallPolicies | CallPolicy;

  /** The name of the header, or of the member of a JSON-RPC call, that carries the idempotency key; false sends none. */
  readonly idempotencyKey?: string | false;
  /** The header with the correlation id, default 'x-correlation-id'; false sends none. HTTP only. */
  readonly correlationId?: string | false;
  /** Send W3C traceparent: default true over HTTP, false over WebSocket, where every call carries its own. */
  readonly trace?: boolean;

  /** The most bytes of an answer, as sent and unpacked. Default 10 MiB. */
  readonly maxResponseBytes?: number;

  /** Several records in one request whose body is an array. HTTP only; a WebSocket does so by itself. */
  readonly batch?: BatchOptions;
  /** What an answer is. Default 'json'. HTTP only. */
  readonly responseType?: 'json' | 'text';
  /** Default 5; 0 takes a redirect as an answer. HTTP only. */
  readonly maxRedirects?: number;
  /** More headers that must not follow a redirect to another origin. HTTP only. */
  readonly credentialHeaders?: readonly string[];
  /** An axios instance of your own, with its interceptors, adapter and agents. Default: one a run, over undici. HTTP only. */
  readonly axios?: AxiosInstance;
  /** WebSocket only. */
  readonly websocket?: WebSocketOptions;
}

/**
 * How records share a request: the body is an array of them, and the answer must be an array of as
 * many items in the same order, or all of them fail with MILLRACE_BAD_RESPONSE.
 */
export interface BatchOptions {
  /** The most records of one request, up to 1,000. */
  readonly max: number;
  /** The most milliseconds a record waits for company. Default 5. */
  readonly waitMs?: number;
  /** What an item of the answer says went wrong. Default: its `error` member. */
  readonly errorOf?: (item: unknown) => ItemError | null | undefined;
}

const HTTP_ONLY = ['batch', 'responseType', 'maxRedirects', 'credentialHeaders', 'axios', 'correlationId'] as const;
const SOCKET_ONLY = ['websocket'] as const;

const off: OptionRule = { expected: 'false', accepts: (value) => value === false };
/** Of a header, or of a member of a JSON-RPC call. */
const aName: OptionRule = {
  expected: 'a name of letters, digits and hyphens',
  accepts: (value) => typeof value === 'string' && /^[\w-]+$/.test(value),
};

const RULES: OptionRules<RequestOptions<never, unknown>> = {
  ...TASK_RULES,
  url: either(text, callback),
  method: text,
  body: callback,
  headers: anObject,
  response: standardSchema,
  ordered: flag,
  concurrency: either(count(), oneOf('auto'), madeBy(AdaptiveConcurrency, 'adaptiveConcurrency(…)')),
  timeoutMs: number(1),
  recordTimeoutMs: number(1, Infinity),
  retry: either(anObject, off),
  rateLimit: anObject,
  breaker: either(anObject, off),
  hedge: either(anObject, flag),
  limiter: madeBy(SharedLimiter, 'sharedLimiter(…)'),
  fairBy: callback,
  policies: anything,
  idempotencyKey: either(aName, off),
  correlationId: either(text, off),
  trace: flag,
  maxResponseBytes: count(),
  batch: anObject,
  responseType: oneOf('json', 'text'),
  maxRedirects: count(0),
  credentialHeaders: headerNames,
  axios: anything,
  websocket: anObject,
};

const BATCH_RULES: OptionRules<BatchOptions> = { max: number(1, 1000), waitMs: number(0), errorOf: callback };

/** Everything that can be checked before the URL is known. */
export function checkRequestOptions<In, Out>(options: RequestOptions<In, Out>): void {
  checkOptions('a requestTask', options, RULES, ['url']);
  const { batch, websocket } = options;
  if (websocket !== undefined) checkWebSocketOptions(websocket);
  if (batch === undefined) return;
  checkOptions('`batch`', batch, BATCH_RULES, ['max']);
  checkCount('batch.max', batch.max);
}

/** Refuses what does not go with the transport the URL names. */
export function checkTransport(options: object, isSocket: boolean, task: string): void {
  const [others, here, there] = isSocket ? [HTTP_ONLY, 'WebSocket', 'HTTP'] : [SOCKET_ONLY, 'HTTP', 'WebSocket'];
  const wrong = others.find((key) => (options as Record<string, unknown>)[key] !== undefined);
  if (wrong === undefined) return;
  throw refuse(`\`${wrong}\` of '${task}' is for ${there}, and its URL is ${here}. Leave it out, or change the URL`);
}

/** The policies these options mean. */
export function policiesOf<In, Out>(options: RequestOptions<In, Out>): CallPolicies {
  const { policies, concurrency, retry, rateLimit, breaker, hedge, limiter, fairBy: keyOf } = options;
  const base = policies === undefined ? new CallPolicies() : callPolicies(policies);
  const { timeoutMs = base.timeout.options.attemptMs, recordTimeoutMs = base.timeout.options.recordMs } = options;
  const slots: PolicySlots = {
    timeout: new CallTimeout({ attemptMs: timeoutMs, recordMs: recordTimeoutMs }),
    ...(concurrency === undefined ? {} : { concurrency: concurrencyOf(concurrency) }),
    ...(retry === undefined
      ? {}
      : { retry: retry === false ? new RetryPolicy({ attempts: 1 }) : valueOf(RetryPolicy, retry) }),
    ...(rateLimit === undefined ? {} : { rateLimit: valueOf(RateLimit, rateLimit) }),
    ...(breaker === undefined ? {} : { breaker: breaker === false ? false : valueOf(CircuitBreaker, breaker) }),
    ...(hedge === undefined
      ? {}
      : { hedge: typeof hedge === 'boolean' ? hedge && new HedgePolicy() : valueOf(HedgePolicy, hedge) }),
    ...(limiter === undefined ? {} : { limiter }),
    ...(keyOf === undefined ? {} : { fairness: fairBy(keyOf) }),
  };
  return base.with(slots);
}

function concurrencyOf(given: number | 'auto' | AdaptiveConcurrency): FixedConcurrency | AdaptiveConcurrency {
  if (given === 'auto') return new AdaptiveConcurrency();
  return given instanceof AdaptiveConcurrency ? given : new FixedConcurrency(given);
}

function valueOf<Options, Policy extends object>(
  type: new (options: Options) => Policy,
  given: Policy | Options,
): Policy {
  return given instanceof type ? given : new type(given as Options);
}

function refuse(message: string): MillraceError {
  return new MillraceError('MILLRACE_INVALID_OPTION', message);
}
