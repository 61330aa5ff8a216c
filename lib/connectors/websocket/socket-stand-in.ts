/**
 * Calls over WebSocket, answered by an upstream in this process: one call, one reply, no connection.
 *
 * Guarantees: a call that cannot be encoded, and a reply that is too large or cannot be decoded, fail as over a
 * connection.
 */
import { describeValue, isPromiseLike, MillraceError, type Upstream, type UpstreamReply } from '../../connect/index.js';
import type { Attempt, Caller, CallOutcomes } from '../../calls/call.js';
import type { SocketCallerParts } from './socket-caller.js';
import { lossError, remoteError } from './socket-errors.js';
import type { LinkEnd } from './socket-link.js';
import { answerOf, namesInLowerCase, type Cancellable } from '../request/upstream-answer.js';
import { whichAttempt } from '../request/which-attempt.js';

/** The cancellation of one call. It has one listener: the answer. */
class Cancellation implements Cancellable {
  error: Error | undefined;
  private listener: ((error: Error) => void) | undefined;

  whenCancelled(listener: (error: Error) => void): () => void {
    this.listener = listener;
    return () => {
      this.listener = undefined;
    };
  }

  cancel(): void {
    this.error ??= new Error('canceled');
    this.listener?.(this.error);
  }
}

export class SocketStandIn<In, Out> implements Caller<In, Out> {
  private readonly parts: SocketCallerParts<In, Out>;
  private readonly standIn: Upstream;
  private nextId = 1;

  constructor(parts: SocketCallerParts<In, Out>, standIn: Upstream) {
    this.parts = parts;
    this.standIn = standIn;
  }

  start(attempts: readonly Attempt<In>[], outcomes: CallOutcomes<In, Out>): void {
    for (const attempt of attempts) void this.ask(attempt, outcomes);
  }

  cancel(attempt: Attempt<In>): void {
    const { handle } = attempt;
    attempt.handle = undefined;
    if (handle instanceof Cancellation) handle.cancel();
  }

  /** Never rejects. */
  private async ask(attempt: Attempt<In>, outcomes: CallOutcomes<In, Out>): Promise<void> {
    if (attempt.isOver) return;
    const cancellation = new Cancellation();
    attempt.handle = cancellation;
    let result: { output: Out } | { error: unknown };
    try {
      result = { output: await this.parts.read(await this.answer(attempt, cancellation)) };
    } catch (error) {
      result = { error };
    }
    if (attempt.handle === undefined) return;
    attempt.handle = undefined;
    if ('error' in result) outcomes.fail(attempt, result.error);
    else outcomes.succeed(attempt, result.output);
  }

  private async answer(attempt: Attempt<In>, cancellation: Cancellation): Promise<unknown> {
    const { task, url, method, headers, keyName, sendsTrace, identity, settings, bodyOf } = this.parts;
    const { lineage, span } = attempt.call;
    const body = bodyOf(attempt);
    // A body waits only for an asynchronous schema.
    const { value: params } = isPromiseLike(body) ? await body : body;
    const key = keyName === undefined ? undefined : { name: keyName, value: identity.key(lineage) };
    const traceparent = sendsTrace ? (span?.traceparent ?? identity.traceparent(lineage)) : undefined;
    // Throws if the protocol cannot encode the call.
    settings.codec.encode({ id: this.nextId++, method, params, key, traceparent });
    const trace = traceparent === undefined ? {} : { traceparent };
    let reply: UpstreamReply;
    try {
      reply = await answerOf(this.standIn, cancellation, {
        task,
        url,
        method,
        headers: namesInLowerCase({ ...headers, ...trace }),
        body: asSent(params),
        key: key?.value,
        ...whichAttempt([attempt]),
      });
    } catch (error) {
      throw error instanceof MillraceError ? error : this.loss('broken', error);
    }
    return this.resultOf(reply);
  }

  private resultOf({ status, headers = {}, body, text }: UpstreamReply): unknown {
    if (text !== undefined) throw this.loss('garbage', new Error(describeValue(text, 200)));
    const message = JSON.stringify({ jsonrpc: '2.0', id: this.nextId, result: body ?? null });
    if (Buffer.byteLength(message) > this.parts.maxPayloadBytes) throw this.loss('limit', undefined);
    if (status < 400) return (JSON.parse(message) as { readonly result: unknown }).result;
    const explanation = typeof body === 'string' ? body : describeValue(body, 200);
    const isPassing = status >= 500 || status === 429 || status === 408;
    const retryAfter = namesInLowerCase(headers)['retry-after'];
    throw remoteError({ message: explanation, isPassing, status, retryAfter }, this.parts);
  }

  /** The error of a connection that ends for this reason. */
  private loss(why: LinkEnd['why'], error: unknown): MillraceError {
    return lossError({ why, error, wasOpen: true }, this.parts, true);
  }
}

/** A user's codec may send values that JSON cannot represent. */
function asSent(params: unknown): unknown {
  try {
    return params === undefined ? undefined : (JSON.parse(JSON.stringify(params)) as unknown);
  } catch {
    return params;
  }
}
