/**
 * Calls over HTTP with axios: one request per attempt, or one per group if the upstream accepts arrays.
 *
 * Guarantees: all attempts of a record carry the same idempotency key. A cancelled attempt closes its connection; a
 * group does so when its last attempt is cancelled. The answer to a group is split, one item per record.
 */
import { types } from 'node:util';
import type { AxiosInstance, AxiosRequestConfig } from 'axios';
import { isPromiseLike, UpstreamError, type Awaitable, type Clock } from '../../connect/index.js';
import type { Attempt, Caller, CallOutcomes } from '../../calls/call.js';
import type { CallIdentity } from '../request/request-identity.js';
import type { UrlTemplate } from '../request/request-url.js';
import { setAttempt, whichAttempt } from '../request/which-attempt.js';
import { Direct, withDirect, type HopOutcome } from './direct.js';
import { explainFailure, unwritableBody, type FailureContext } from './explain-failure.js';
import type { ItemError } from '../request/request-options.js';
import { itemsOf, type BatchItem } from './batch-answer.js';
import { isForJson, kindOf, writeJson } from '../request/json-value.js';
import type { CallBody } from '../request/request-body.js';
import { reportAnswer } from '../request/report-answer.js';
import type { AnswerTarget, PreparedRequest } from './prepared-request.js';
import type { TaskAdapter } from './undici-adapter.js';

const TRACE_HEADER = 'traceparent';

export interface HttpCallerParts<In, Out> {
  readonly client: AxiosInstance;
  readonly url: UrlTemplate;
  readonly method: string;
  /** Without the content type. */
  readonly headers: Readonly<Record<string, string>>;
  /** Header names; undefined if the header is not sent. */
  readonly keyHeader: string | undefined;
  readonly correlationHeader: string | undefined;
  readonly sendsTrace: boolean;
  readonly identity: CallIdentity;
  readonly isIdempotent: boolean;
  /** Whether the task created the client: then no user interceptor sees the requests, and `shared` is its defaults. */
  readonly isOwnClient: boolean;
  /** Present if the client is the task's own, and sends over the network. */
  readonly prepare?: TaskAdapter['prepare'] | undefined;
  /** Whether connections go to a unix socket. */
  readonly isUnixSocket: boolean;
  /** The part of the config that is the same for every request: limits, and how answers are read. */
  readonly shared: AxiosRequestConfig;
  /** The content type header alone, in the form that axios expects; empty if there is no body. */
  readonly contentType: Readonly<Record<string, string>>;
  /** Whether the options name the content type. Otherwise it is the type of each body. */
  readonly isTypeNamed: boolean;
  /** Whether requests of this method have a body. */
  readonly hasBody: boolean;
  /** Whether bodies are JSON: true unless the headers name another type. */
  readonly sendsJson: boolean;
  /** Whether they are serialized here. A user's client may serialize in its own way. */
  readonly writesJson: boolean;
  readonly task: string;
  readonly clock: Clock;
  /** Returns the body of an attempt, or a promise of it. */
  readonly bodyOf: (attempt: Attempt<In>) => Awaitable<CallBody>;
  /** Makes an output from an answer, or a promise of it, or throws. */
  readonly read: (answer: unknown) => Awaitable<Out>;
  /** Present if a request carries several records. */
  readonly batch?: { readonly errorOf: ((item: unknown) => ItemError | null | undefined) | undefined };
}

/** The body for one record. */
interface MadeBody {
  readonly body?: unknown;
  readonly failure?: { readonly error: unknown };
}

/** One request in flight. */
class Exchange<In, Out> implements AnswerTarget {
  readonly caller: HttpCaller<In, Out>;
  readonly attempts: readonly Attempt<In>[];
  readonly outcomes: CallOutcomes<In, Out>;
  readonly body: unknown;
  cancellation: { abort(): void } | undefined;
  /** The headers that were sent, names and values in turn, if it was sent without axios. */
  headers: readonly string[] | undefined;
  wanted: number;

  constructor(
    caller: HttpCaller<In, Out>,
    attempts: readonly Attempt<In>[],
    body: unknown,
    outcomes: CallOutcomes<In, Out>,
  ) {
    this.caller = caller;
    this.attempts = attempts;
    this.body = body;
    this.outcomes = outcomes;
    this.wanted = attempts.length;
  }

  answered(data: unknown): void {
    this.caller.accept(this, data);
  }

  leaveToAxios(outcome: HopOutcome): void {
    void this.caller.askAxios(this, outcome);
  }
}

export class HttpCaller<In, Out> implements Caller<In, Out> {
  private readonly parts: HttpCallerParts<In, Out>;
  private hasAnswered = false;
  /** Undefined until axios has built the config of a request; 'none' if axios must process each request. */
  private prepared: PreparedRequest | 'none' | undefined;
  /**
   * Requests that wait until axios has built the config of the first one; undefined if there is no such first request. At
   * most the calls in flight.
   */
  private waiting: Exchange<In, Out>[] | undefined;

  constructor(parts: HttpCallerParts<In, Out>) {
    // A given header with the name of one of ours, in any capitals, would be a second one.
    const ours = new Set(varyingOf(parts).map((name) => name.toLowerCase()));
    const given = Object.entries(parts.headers).filter(([name]) => !ours.has(name.toLowerCase()));
    this.parts = { ...parts, headers: Object.fromEntries(given) };
  }

  start(attempts: readonly Attempt<In>[], outcomes: CallOutcomes<In, Out>): void {
    if (this.parts.batch === undefined) for (const attempt of attempts) this.ask([attempt], outcomes);
    else this.ask(attempts, outcomes);
  }

  cancel(attempt: Attempt<In>): void {
    const exchange = attempt.handle;
    if (!(exchange instanceof Exchange)) return;
    attempt.handle = undefined;
    if (--exchange.wanted === 0) exchange.cancellation?.abort();
  }

  private ask(given: readonly Attempt<In>[], outcomes: CallOutcomes<In, Out>): void {
    const made = given.map((attempt) => this.bodyFor(attempt));
    // A body waits only for an asynchronous schema.
    if (!made.some(isPromiseLike)) this.send(given, made as MadeBody[], outcomes);
    else {
      void Promise.all(made.map((one) => Promise.resolve(one))).then((ready) => {
        this.send(given, ready, outcomes);
      });
    }
  }

  private send(given: readonly Attempt<In>[], made: readonly MadeBody[], outcomes: CallOutcomes<In, Out>): void {
    const bodies: unknown[] = [];
    const attempts = given.filter((attempt, i) => {
      if (attempt.isOver) return false;
      const { body, failure } = made[i] as MadeBody;
      if (failure === undefined) bodies.push(body);
      else outcomes.fail(attempt, failure.error);
      return failure === undefined;
    });
    const [first] = attempts;
    // A record that could not be sent may have ended the run, and with it all attempts that were admitted with it.
    if (first === undefined || first.isOver) return;
    const body = this.bodyOfAll(bodies);
    const exchange = new Exchange(this, attempts, body, outcomes);
    for (const attempt of attempts) attempt.handle = exchange;
    this.dispatch(exchange);
  }

  private dispatch(exchange: Exchange<In, Out>): void {
    const { prepared, waiting } = this;
    const { body } = exchange;
    if (prepared === 'none' || !this.isPreparable(body)) void this.askAxios(exchange);
    else if (prepared !== undefined) this.askPrepared(prepared, exchange, body);
    else if (waiting !== undefined) waiting.push(exchange);
    else this.sendFirst(exchange);
  }

  /** Sends a request with axios. Once axios has built its config, sends the requests that wait for it. */
  private sendFirst(exchange: Exchange<In, Out>): void {
    const waiting: Exchange<In, Out>[] = [];
    this.waiting = waiting;
    const release = (direct: Direct): void => {
      if (this.waiting !== waiting) return;
      this.waiting = undefined;
      this.prepare(direct);
      // If the first request failed before the adapter, the next one becomes the first. The array is emptied, because
      // it lives as long as the first request.
      for (const next of waiting.splice(0)) if (next.wanted > 0) this.dispatch(next);
    };
    void this.askAxios(exchange, undefined, release);
  }

  /** Sends a request in the same way as axios has sent the first one. */
  private askPrepared(prepared: PreparedRequest, exchange: Exchange<In, Out>, body: string | undefined): void {
    const { attempts } = exchange;
    const headers = prepared.commonHeaders();
    exchange.headers = headers;
    let url: string;
    try {
      this.pushVarying(headers, attempts);
      url = this.parts.url.fill((attempts[0] as Attempt<In>).call.record);
    } catch (error) {
      this.refuse(exchange, error);
      return;
    }
    const request = prepared.begin(exchange);
    exchange.cancellation = request;
    request.send(url, headers, body ?? null);
  }

  /**
   * Sends a request with axios. Never rejects.
   * @param outcome of its first hop, if it was sent without axios.
   * @param release called when the adapter sends the request, and at the end of it.
   */
  async askAxios(exchange: Exchange<In, Out>, outcome?: HopOutcome, release?: (direct: Direct) => void): Promise<void> {
    const { attempts, body, wanted } = exchange;
    if (wanted === 0) return;
    const headers = exchange.headers === undefined ? this.headersFor(attempts) : fromPairs(exchange.headers);
    const direct = this.parts.isOwnClient ? new Direct(headers, outcome) : undefined;
    if (direct !== undefined && release !== undefined) {
      direct.onConfig = () => {
        queueMicrotask(() => {
          release(direct);
        });
      };
    }
    const cancellation = direct ?? new AbortController();
    exchange.cancellation = cancellation;
    let data: unknown;
    try {
      const config = this.configOf(attempts, cancellation, body, headers);
      ({ data } = await this.parts.client.request<unknown>(config));
    } catch (error) {
      this.refuse(exchange, error);
      return;
    } finally {
      if (direct !== undefined) release?.(direct);
    }
    this.accept(exchange, data);
  }

  /** Reports the error of a request. */
  private refuse({ attempts, outcomes }: Exchange<In, Out>, error: unknown): void {
    const explained = explainFailure(error, this.context);
    // A status other than success is an answer, too.
    if (explained instanceof UpstreamError && explained.status !== undefined) this.hasAnswered = true;
    this.report(attempts, (attempt) => {
      outcomes.fail(attempt, explained);
    });
  }

  /** Reports the answer to a request. */
  accept(exchange: Exchange<In, Out>, data: unknown): void {
    const { attempts, outcomes } = exchange;
    this.hasAnswered = true;
    if (this.parts.batch === undefined) this.succeed(attempts[0] as Attempt<In>, data, outcomes);
    else this.splitAnswer(exchange, data);
  }

  /** Whether axios would treat this body in the same way as the body of the first request. */
  private isPreparable(body: unknown): body is string | undefined {
    const { prepare, hasBody, writesJson } = this.parts;
    if (prepare === undefined) return false;
    return hasBody ? writesJson && typeof body === 'string' : body === undefined;
  }

  private prepare(direct: Direct): void {
    const { prepare, headers, hasBody } = this.parts;
    // The request did not reach the adapter.
    if (direct.config === undefined) return;
    this.prepared = prepare?.(direct, { headers, varying: varyingOf(this.parts), hasBody }) ?? 'none';
  }

  private succeed(attempt: Attempt<In>, answer: unknown, outcomes: CallOutcomes<In, Out>): void {
    if (attempt.handle === undefined) return;
    attempt.handle = undefined;
    reportAnswer(() => this.parts.read(answer), attempt, outcomes);
  }

  private splitAnswer({ attempts, outcomes }: Exchange<In, Out>, answer: unknown): void {
    const items = itemsOf(answer, attempts.length, this.parts.batch?.errorOf, this.context);
    attempts.forEach((attempt, index) => {
      const item = items instanceof UpstreamError ? { error: items } : (items[index] as BatchItem);
      if (!('error' in item)) this.succeed(attempt, item.answer, outcomes);
      else if (attempt.handle !== undefined) {
        attempt.handle = undefined;
        outcomes.fail(attempt, item.error);
      }
    });
  }

  /** The body for one record, or its failure, which concerns this record only. Nothing is sent yet. */
  private bodyFor(attempt: Attempt<In>): Awaitable<MadeBody> {
    const failed = (error: unknown): MadeBody => ({ failure: { error } });
    if (attempt.isOver) return {};
    try {
      const body = this.parts.bodyOf(attempt);
      if (!isPromiseLike(body)) return { body: this.written(body.value) };
      return body.then(({ value }): MadeBody => ({ body: this.written(value) })).then(undefined, failed);
    } catch (error) {
      return failed(error);
    }
  }

  private written(body: unknown): unknown {
    const { writesJson, batch } = this.parts;
    const isJson = isForJson(body);
    if (!writesJson) return isJson || batch === undefined ? body : this.refuseInBatch(body);
    // In a JSON array, undefined becomes null.
    if (batch !== undefined && body === undefined) return 'null';
    if (!isJson) return batch === undefined ? body : this.refuseInBatch(body);
    try {
      return writeJson(body);
    } catch (error) {
      throw unwritableBody(error, this.context);
    }
  }

  /** In an array, JSON would write forms, bytes and streams as objects without their content. */
  private refuseInBatch(body: unknown): unknown {
    if (typeof body !== 'object' || body === null) return body;
    const what = new TypeError(`a request for several records is JSON, which cannot represent a ${kindOf(body)}`);
    throw unwritableBody(what, this.context);
  }

  /** The body of the request for all its records. */
  private bodyOfAll(bodies: readonly unknown[]): unknown {
    const { batch, writesJson, sendsJson } = this.parts;
    if (batch !== undefined) return writesJson ? `[${bodies.join(',')}]` : bodies;
    const [body] = bodies;
    // For a view of a part of a buffer, axios would send the whole buffer.
    if (ArrayBuffer.isView(body)) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    // A string must be sent as a JSON string. axios would send it unchanged if it happens to be valid JSON.
    return typeof body === 'string' && sendsJson && !writesJson ? JSON.stringify(body) : body;
  }

  /** Reports all attempts that were not cancelled in the meantime. */
  private report(attempts: readonly Attempt<In>[], report: (attempt: Attempt<In>) => void): void {
    for (const attempt of attempts) {
      if (attempt.handle === undefined) continue;
      attempt.handle = undefined;
      report(attempt);
    }
  }

  private configOf(
    attempts: readonly Attempt<In>[],
    cancellation: Direct | AbortController,
    body: unknown,
    headers: Record<string, string>,
  ): AxiosRequestConfig {
    const { url, method, writesJson, shared } = this.parts;
    const { call } = attempts[0] as Attempt<In>;
    const contentType = this.contentTypeOf(body);
    const config: AxiosRequestConfig = { url: url.fill(call.record), method };
    if (body !== undefined) config.data = body;
    if (cancellation instanceof Direct) {
      // The client knows the content type of JSON that was serialized here.
      const isKnown = writesJson && typeof body === 'string' && contentType['content-type'] === 'application/json';
      if (!isKnown) config.headers = contentType;
      return withDirect(config, cancellation);
    }
    setAttempt(config, whichAttempt(attempts));
    return Object.assign(config, shared, { headers: { ...contentType, ...headers }, signal: cancellation.signal });
  }

  /**
   * Like the content type of plain axios, with two exceptions: bytes count as JSON that was serialized before, and
   * streams do not count as forms.
   */
  private contentTypeOf(body: unknown): Readonly<Record<string, string>> {
    const { contentType, isTypeNamed } = this.parts;
    if (isTypeNamed || typeof body !== 'object' || body === null || isForJson(body)) return contentType;
    // axios and the adapter know the types of forms.
    if (types.isAnyArrayBuffer(body) || ArrayBuffer.isView(body)) return contentType;
    if (body instanceof FormData || body instanceof URLSearchParams || 'getHeaders' in body) return {};
    const type = body instanceof Blob ? body.type : '';
    return { 'content-type': type === '' ? 'application/octet-stream' : type };
  }

  private headersFor(attempts: readonly Attempt<In>[]): Record<string, string> {
    const varying: string[] = [];
    this.pushVarying(varying, attempts);
    return { ...this.parts.headers, ...fromPairs(varying) };
  }

  /** Adds the names and values of the headers that differ from request to request. */
  private pushVarying(headers: string[], attempts: readonly Attempt<In>[]): void {
    const { keyHeader, correlationHeader, sendsTrace, identity } = this.parts;
    const { lineage, span } = (attempts[0] as Attempt<In>).call;
    if (keyHeader !== undefined) {
      const isOne = attempts.length === 1;
      headers.push(keyHeader, isOne ? identity.key(lineage) : identity.keys(attempts.map(({ call }) => call.lineage)));
    }
    if (correlationHeader !== undefined) headers.push(correlationHeader, identity.correlationId(lineage));
    if (sendsTrace) headers.push(TRACE_HEADER, span?.traceparent ?? identity.traceparent(lineage));
  }

  private get context(): FailureContext {
    const { url, task, isIdempotent, clock, isUnixSocket } = this.parts;
    const { hasAnswered } = this;
    return { upstream: url.label, task, isIdempotent, now: clock.now(), hasAnswered, isUnixSocket };
  }
}

/** The names of the headers that differ from request to request. */
function varyingOf({
  keyHeader,
  correlationHeader,
  sendsTrace,
}: Pick<HttpCallerParts<never, never>, 'keyHeader' | 'correlationHeader' | 'sendsTrace'>): readonly string[] {
  return [keyHeader, correlationHeader, sendsTrace ? TRACE_HEADER : undefined].filter((name) => name !== undefined);
}

function fromPairs(flat: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) headers[flat[i] as string] = flat[i + 1] as string;
  return headers;
}
