/**
 * Calls over HTTP with axios: one request an attempt, or one for a group of them where the upstream takes arrays.
 *
 * Promises: every attempt of a record carries the same idempotency key; a cancelled attempt closes its connection (a
 * group does when its last one is cancelled); an answer to a group comes apart again, each item to its own record.
 */
import type { AxiosInstance, AxiosRequestConfig } from 'axios';
import type { Clock } from '../../model/ports.js';
import { UpstreamError } from '../../model/upstream-error.js';
import type { Attempt, Caller, CallOutcomes } from '../../calls/call.js';
import type { CallIdentity } from '../request/request-identity.js';
import type { UrlTemplate } from '../request/request-url.js';
import { tellAttempt, whichAttempt } from '../request/which-attempt.js';
import { Direct, withDirect } from './direct.js';
import { explainFailure, unwritableBody, type FailureContext } from './explain-failure.js';
import { itemsOf, type BatchItem, type ItemError } from './batch-answer.js';
import { isForJson, writeJson } from './json-body.js';

export interface HttpCallerParts<In, Out> {
  readonly client: AxiosInstance;
  readonly url: UrlTemplate;
  readonly method: string;
  /** Without the type of the content. */
  readonly headers: Readonly<Record<string, string>>;
  /** Names of headers, or undefined where none is sent. */
  readonly keyHeader: string | undefined;
  readonly correlationHeader: string | undefined;
  readonly sendsTrace: boolean;
  readonly identity: CallIdentity;
  readonly isIdempotent: boolean;
  /** The client is the task's own: nobody's interceptors look at its requests, and it has `shared` as its defaults. */
  readonly isOwnClient: boolean;
  /** What holds for every request: limits, and how answers are read. */
  readonly shared: AxiosRequestConfig;
  /** The header of that name alone, in the way axios wants it; empty where nothing is sent. */
  readonly contentType: Readonly<Record<string, string>>;
  /** Whether bodies are JSON: true unless the headers name another type. */
  readonly sendsJson: boolean;
  /** Whether they are written here: somebody else's client may have a way of its own. */
  readonly writesJson: boolean;
  readonly task: string;
  readonly clock: Clock;
  /** What is sent for a record; undefined: nothing. */
  readonly bodyOf: (attempt: Attempt<In>) => unknown;
  /** Makes an output of an answer, or throws. */
  readonly read: (answer: unknown) => Out;
  /** Set where a request carries several records. */
  readonly batch?: { readonly errorOf: ((item: unknown) => ItemError | null | undefined) | undefined };
}

/** One request under way. */
class Exchange<In> {
  readonly cancellation: Direct | AbortController;
  readonly attempts: readonly Attempt<In>[];
  wanted: number;

  constructor(attempts: readonly Attempt<In>[], cancellation: Direct | AbortController) {
    this.attempts = attempts;
    this.cancellation = cancellation;
    this.wanted = attempts.length;
  }
}

export class HttpCaller<In, Out> implements Caller<In, Out> {
  private readonly parts: HttpCallerParts<In, Out>;

  constructor(parts: HttpCallerParts<In, Out>) {
    this.parts = parts;
  }

  start(attempts: readonly Attempt<In>[], outcomes: CallOutcomes<In, Out>): void {
    if (this.parts.batch === undefined) for (const attempt of attempts) void this.ask([attempt], outcomes);
    else void this.ask(attempts, outcomes);
  }

  cancel(attempt: Attempt<In>): void {
    const exchange = attempt.handle;
    if (!(exchange instanceof Exchange)) return;
    attempt.handle = undefined;
    if (--exchange.wanted === 0) exchange.cancellation.abort();
  }

  /** Never rejects. */
  private async ask(given: readonly Attempt<In>[], outcomes: CallOutcomes<In, Out>): Promise<void> {
    const { client, batch, isOwnClient } = this.parts;
    const bodies: unknown[] = [];
    const attempts = given.filter((attempt) => {
      if (attempt.isOver) return false;
      try {
        bodies.push(this.bodyFor(attempt));
        return true;
      } catch (error) {
        outcomes.fail(attempt, error);
        return false;
      }
    });
    const [first] = attempts;
    // A record that could not be sent may have ended the run, and with it all that were let through beside it.
    if (first === undefined || first.isOver) return;
    const headers = this.headersFor(attempts);
    const exchange = new Exchange(attempts, isOwnClient ? new Direct(headers) : new AbortController());
    for (const attempt of attempts) attempt.handle = exchange;
    let data: unknown;
    try {
      const config = this.configOf(exchange, this.bodyOfAll(bodies), headers);
      ({ data } = await client.request<unknown>(config));
    } catch (error) {
      const explained = explainFailure(error, this.context);
      this.report(attempts, (attempt) => {
        outcomes.fail(attempt, explained);
      });
      return;
    }
    if (batch === undefined) this.succeed(first, data, outcomes);
    else this.takeApart(exchange, data, outcomes);
  }

  private succeed(attempt: Attempt<In>, answer: unknown, outcomes: CallOutcomes<In, Out>): void {
    if (attempt.handle === undefined) return;
    attempt.handle = undefined;
    let output: Out;
    try {
      output = this.parts.read(answer);
    } catch (error) {
      outcomes.fail(attempt, error);
      return;
    }
    outcomes.succeed(attempt, output);
  }

  private takeApart(exchange: Exchange<In>, answer: unknown, outcomes: CallOutcomes<In, Out>): void {
    const { attempts } = exchange;
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

  /** What is sent for one record; throws what fails the record alone, before anything is sent. */
  private bodyFor(attempt: Attempt<In>): unknown {
    const { bodyOf, writesJson, batch } = this.parts;
    const body = bodyOf(attempt);
    if (!writesJson) return body;
    // As JSON has it, what is not there is null in an array.
    if (batch !== undefined && body === undefined) return 'null';
    if (batch === undefined && !isForJson(body)) return body;
    try {
      return writeJson(body);
    } catch (error) {
      throw unwritableBody(error, this.context);
    }
  }

  /** The body of a request for these. */
  private bodyOfAll(bodies: readonly unknown[]): unknown {
    const { batch, writesJson, sendsJson } = this.parts;
    if (batch !== undefined) return writesJson ? `[${bodies.join(',')}]` : bodies;
    const [body] = bodies;
    // Text is JSON too; axios would send it as it is where it happens to parse.
    return typeof body === 'string' && sendsJson && !writesJson ? JSON.stringify(body) : body;
  }

  /** Those that were cancelled meanwhile are nobody's business any more. */
  private report(attempts: readonly Attempt<In>[], tell: (attempt: Attempt<In>) => void): void {
    for (const attempt of attempts) {
      if (attempt.handle === undefined) continue;
      attempt.handle = undefined;
      tell(attempt);
    }
  }

  private configOf(
    { attempts, cancellation }: Exchange<In>,
    body: unknown,
    headers: Record<string, string>,
  ): AxiosRequestConfig {
    const { url, method, contentType, writesJson, shared } = this.parts;
    const { call } = attempts[0] as Attempt<In>;
    const config: AxiosRequestConfig = { url: url.fill(call.record), method };
    if (body !== undefined) config.data = body;
    if (cancellation instanceof Direct) {
      // Of what was written here the client knows that it is JSON.
      const isKnown = writesJson && typeof body === 'string' && contentType['content-type'] === 'application/json';
      if (!isKnown) config.headers = contentType;
      return withDirect(config, cancellation);
    }
    tellAttempt(config, whichAttempt(attempts));
    return Object.assign(config, shared, { headers: { ...contentType, ...headers }, signal: cancellation.signal });
  }

  private headersFor(attempts: readonly Attempt<In>[]): Record<string, string> {
    const { headers, keyHeader, correlationHeader, sendsTrace, identity } = this.parts;
    const { lineage, span } = (attempts[0] as Attempt<In>).call;
    const sent: Record<string, string> = { ...headers };
    if (keyHeader !== undefined) {
      sent[keyHeader] =
        attempts.length === 1 ? identity.key(lineage) : identity.keys(attempts.map(({ call }) => call.lineage));
    }
    if (correlationHeader !== undefined) sent[correlationHeader] = identity.correlationId(lineage);
    if (sendsTrace) sent['traceparent'] = span?.traceparent ?? identity.traceparent(lineage);
    return sent;
  }

  private get context(): FailureContext {
    const { url, task, isIdempotent, clock } = this.parts;
    return { upstream: url.label, task, isIdempotent, now: clock.now() };
  }
}
