/**
 * The options of a request task, and the policies that follow from them.
 *
 * Guarantees: options are checked once, when the task is created. An option of the other transport is refused, never
 * ignored.
 */
import type { AxiosInstance } from 'axios';
import {
  invalidOption,
  REMEMBERING_RULES,
  TASK_RULES,
  anObject,
  anything,
  callback,
  checkCount,
  checkMemo,
  checkOptions,
  count,
  either,
  flag,
  madeBy,
  number,
  oneOf,
  standardSchema,
  text,
  type Awaitable,
  type OptionRule,
  type OptionRules,
  type RecordContext,
  type RememberingOptions,
  type Schema,
  type TaskOptions,
} from '../../connect/index.js';
import { AdaptiveConcurrency, FixedConcurrency } from '../../calls/policies/adaptive-concurrency.js';
import { callPolicies, CallPolicies, type CallPolicy, type PolicySlots } from '../../calls/policies/call-policies.js';
import { CallTimeout } from '../../calls/policies/call-timeout.js';
import { CircuitBreaker, type CircuitBreakerOptions } from '../../calls/policies/circuit-breaker.js';
import { fairBy } from '../../calls/policies/fairness.js';
import { HedgePolicy, type HedgeOptions } from '../../calls/policies/hedge-policy.js';
import { RateLimit, type RateLimitOptions } from '../../calls/policies/rate-limit.js';
import { RetryPolicy, type RetryOptions } from '../../calls/policies/retry-policy.js';
import { SharedLimiter } from '../../calls/policies/shared-limiter.js';
import {
  CONNECTION_RULES,
  checkConnection,
  checkHeaders,
  headerNames,
  type ConnectionOptions,
} from './http-defaults.js';
import type { LargeIntegers } from '../json/large-integers.js';
import { checkWebSocketOptions, type WebSocketOptions } from '../websocket/web-socket-options.js';

/**
 * Options of `requestTask`. The scheme of `url` chooses the transport; an option of the other
 * transport is refused with MILLRACE_INVALID_OPTION when the run opens.
 */
export interface RequestOptions<In, Out> extends TaskOptions<In, Out>, RememberingOptions, ConnectionOptions {
  /**
   * The URL of the upstream, or a function that returns it, called once when the run opens. http:, https:, ws: or wss:.
   * Path and query may contain fields of the record: `https://api/members/{id}`.
   */
  readonly url: string | (() => Awaitable<string>);
  /** HTTP: the method, default POST. WebSocket: the JSON-RPC method, such as 'ats.predict'; required. */
  readonly method?: string;
  /**
   * Returns what is sent for a record, as JSON. Default: the record itself; nothing for GET, HEAD and DELETE. Over HTTP
   * it may also be a form (FormData, URLSearchParams), bytes, a Blob, or a stream, which must be a new one for each
   * attempt.
   */
  readonly body?: (record: In, context: RecordContext) => unknown;
  /** The headers of every request; over WebSocket, of the handshake. HTTP must be able to carry each name and value. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Validates the answer. The task emits the result of the validation. */
  readonly response?: Schema<Out>;
  /** Emits in input order instead of completion order. Default false. */
  readonly ordered?: boolean;

  /** The most calls in flight; 'auto' finds the best number. Default 64 over HTTP, 512 over WebSocket. */
  readonly concurrency?: number | 'auto' | AdaptiveConcurrency;
  /** The limit per attempt in milliseconds, from its start to the last byte of the answer. Default 30,000. */
  readonly timeoutMs?: number;
  /** The limit per record in milliseconds, over all attempts. Default: none; the budget of `retry` limits them. */
  readonly recordTimeoutMs?: number;
  /** Default: 5 attempts within two minutes; false: one attempt. */
  readonly retry?: RetryPolicy | RetryOptions | false;
  /** Records per second. Default: no limit. */
  readonly rateLimit?: RateLimit | RateLimitOptions;
  /** Default: pauses the task while the upstream is down, and fails the run after five minutes; false: never pauses. */
  readonly breaker?: CircuitBreaker | CircuitBreakerOptions | false;
  /** A second try for slow calls. Default: none. */
  readonly hedge?: HedgePolicy | HedgeOptions | boolean;
  /** A limit shared with other tasks. */
  readonly limiter?: SharedLimiter;
  /** Waiting records are served round robin by this key. */
  readonly fairBy?: (record: In) => unknown;
  /** A set to start from. The options above override it. */
  readonly policies?: CallPolicies | CallPolicy;

  /** The header, or the member of a JSON-RPC call, that carries the idempotency key; false sends none. */
  readonly idempotencyKey?: string | false;
  /**
   * Whether a call with an unknown outcome may be repeated. Default: true if it carries an idempotency key, or if its
   * HTTP method is idempotent.
   */
  readonly repeatable?: boolean;
  /** The header with the correlation id, default 'x-correlation-id'; false sends none. HTTP only. */
  readonly correlationId?: string | false;
  /**
   * Sends a W3C traceparent. Default true over HTTP and false over WebSocket, where it would be sent with every call.
   */
  readonly trace?: boolean;

  /** The most bytes of an answer, both compressed and decompressed. Default 10 MiB. */
  readonly maxResponseBytes?: number;
  /**
   * The treatment of JSON integers in an answer that a number would round, such as 64-bit ids. 'refuse' (default): the
   * record fails with MILLRACE_BAD_RESPONSE. 'text': they arrive as text. 'round': as from JSON.parse.
   */
  readonly largeIntegers?: LargeIntegers;

  /** Sends several records in one request whose body is an array. HTTP only; a WebSocket always groups calls. */
  readonly batch?: BatchOptions;
  /** The type of the answer. Default 'json'. HTTP only. */
  readonly responseType?: 'json' | 'text';
  /** The encoding of answers that name none, as a label of TextDecoder. Default 'utf-8'. HTTP only. */
  readonly responseEncoding?: string;
  /** The most redirects per request. Default 5; 0 treats a redirect as the answer. HTTP only. */
  readonly maxRedirects?: number;
  /** More headers that must not follow a redirect to another origin. HTTP only. */
  readonly credentialHeaders?: readonly string[];
  /**
   * Your own axios instance, with its interceptors, adapter and agents. Default: one per run, over undici. HTTP only.
   */
  readonly axios?: AxiosInstance;
  /** The connections. WebSocket only. */
  readonly websocket?: WebSocketOptions;
}

/**
 * How several records share a request. The body is an array of records. The answer must be an array of the same length
 * in the same order; otherwise all of them fail with MILLRACE_BAD_RESPONSE.
 */
export interface BatchOptions {
  /** The most records per request, up to 1,000. */
  readonly max: number;
  /** The most milliseconds that a record waits for others. Default 5. */
  readonly waitMs?: number;
  /** Returns the error of an item of the answer. Default: its `error` member. */
  readonly errorOf?: (item: unknown) => ItemError | null | undefined;
}

/** The error of one item of an answer. */
export interface ItemError {
  /** The last part of the message of an UpstreamError with the code MILLRACE_HTTP_STATUS. */
  readonly message: string;
  /** Whether another attempt may succeed. Default false. */
  readonly retryable?: boolean;
}

const HTTP_ONLY = [
  'batch',
  'responseType',
  'responseEncoding',
  'maxRedirects',
  'credentialHeaders',
  'axios',
  'correlationId',
] as const;
const SOCKET_ONLY = ['websocket'] as const;

const off: OptionRule = { expected: 'false', accepts: (value) => value === false };
/** The name of a header, or of a member of a JSON-RPC call. */
const aName: OptionRule = {
  expected: 'a name of letters, digits and hyphens',
  accepts: (value) => typeof value === 'string' && /^[\w-]+$/.test(value),
};

const RULES: OptionRules<RequestOptions<never, unknown>> = {
  ...TASK_RULES,
  ...REMEMBERING_RULES,
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
  repeatable: flag,
  maxResponseBytes: count(),
  largeIntegers: oneOf('refuse', 'text', 'round'),
  responseEncoding: { expected: 'a label of TextDecoder, such as latin1', accepts: isEncoding },
  ...CONNECTION_RULES,
  batch: anObject,
  responseType: oneOf('json', 'text'),
  maxRedirects: count(0),
  credentialHeaders: headerNames,
  axios: anything,
  websocket: anObject,
};

const BATCH_RULES: OptionRules<BatchOptions> = { max: number(1, 1000), waitMs: number(0), errorOf: callback };

/** Checks everything that does not depend on the URL. */
export function checkRequestOptions<In, Out>(options: RequestOptions<In, Out>): void {
  checkOptions('a requestTask', options, RULES, ['url']);
  const { batch, websocket, headers, axios, memo } = options;
  checkMemo('a requestTask', memo);
  checkConnection('a requestTask', options);
  if (headers !== undefined) checkHeaders('a requestTask', headers);
  const misplaced =
    axios === undefined ? undefined : Object.keys(CONNECTION_RULES).find((name) => valueIn(options, name));
  if (misplaced !== undefined) {
    throw invalidOption(
      `\`${misplaced}\` of a requestTask is for its own connections, and \`axios\` brings others. Give it to the adapter of that instance: undiciAdapter({ ${misplaced}: … })`,
    );
  }
  if (websocket !== undefined) checkWebSocketOptions(websocket);
  if (batch === undefined) return;
  checkOptions('`batch`', batch, BATCH_RULES, ['max']);
  checkCount('batch.max', batch.max);
}

/** Refuses options of the transport that the URL does not name. */
export function checkTransport(options: object, isSocket: boolean, task: string): void {
  const [others, here, there] = isSocket ? [HTTP_ONLY, 'WebSocket', 'HTTP'] : [SOCKET_ONLY, 'HTTP', 'WebSocket'];
  const wrong = others.find((key) => (options as Record<string, unknown>)[key] !== undefined);
  if (wrong === undefined) return;
  throw invalidOption(
    `\`${wrong}\` of '${task}' is for ${there}, and its URL is ${here}. Leave it out, or change the URL`,
  );
}

/** The policies that follow from the options. */
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

function valueIn(options: object, name: string): boolean {
  return (options as Record<string, unknown>)[name] !== undefined;
}

function isEncoding(label: unknown): boolean {
  try {
    return typeof label === 'string' && new TextDecoder(label).encoding !== '';
  } catch {
    return false;
  }
}
