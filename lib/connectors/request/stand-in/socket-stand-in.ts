/**
 * Calls that would go over a WebSocket, answered by an upstream in this process: one call, one reply, no connection.
 * Promise: what cannot be written, is too large or cannot be read fails as it would over a connection.
 */
import type { Upstream, UpstreamReply } from '../../../model/upstream.js';
import { describeValue, MillraceError } from '../../../model/errors.js';
import type { Attempt, Caller, CallOutcomes } from '../../../calls/call.js';
import type { SocketCallerParts } from '../../websocket/socket-caller.js';
import { lossError, remoteError } from '../../websocket/socket-errors.js';
import type { LinkEnd } from '../../websocket/socket-link.js';
import { Direct } from '../../http/direct.js';
import { answered, namesInLowerCase } from './answered.js';
import { whichAttempt } from '../which-attempt.js';

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
    if (handle instanceof Direct) handle.abort();
  }

  /** Never rejects. */
  private async ask(attempt: Attempt<In>, outcomes: CallOutcomes<In, Out>): Promise<void> {
    if (attempt.isOver) return;
    const waiting = new Direct({});
    attempt.handle = waiting;
    let result: { output: Out } | { error: unknown };
    try {
      result = { output: this.parts.read(await this.answer(attempt, waiting)) };
    } catch (error) {
      result = { error };
    }
    if (attempt.handle === undefined) return;
    attempt.handle = undefined;
    if ('error' in result) outcomes.fail(attempt, result.error);
    else outcomes.succeed(attempt, result.output);
  }

  private async answer(attempt: Attempt<In>, waiting: Direct): Promise<unknown> {
    const { task, url, method, headers, keyName, sendsTrace, identity, settings, bodyOf } = this.parts;
    const { lineage, span } = attempt.call;
    const params = bodyOf(attempt);
    const key = keyName === undefined ? undefined : { name: keyName, value: identity.key(lineage) };
    const traceparent = sendsTrace ? (span?.traceparent ?? identity.traceparent(lineage)) : undefined;
    // What the protocol cannot write is not sent.
    settings.codec.encode({ id: this.nextId++, method, params, key, traceparent });
    const trace = traceparent === undefined ? {} : { traceparent };
    let reply: UpstreamReply;
    try {
      reply = await answered(this.standIn, waiting, {
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
    const said = typeof body === 'string' ? body : describeValue(body, 200);
    const isPassing = status >= 500 || status === 429 || status === 408;
    const retryAfter = namesInLowerCase(headers)['retry-after'];
    throw remoteError({ message: said, isPassing, status, retryAfter }, this.parts);
  }

  /** What it would mean if a connection ended so. */
  private loss(why: LinkEnd['why'], error: unknown): MillraceError {
    return lossError({ why, error, wasOpen: true }, this.parts);
  }
}

/** A protocol of somebody's own may send what JSON has no word for. */
function asSent(params: unknown): unknown {
  try {
    return params === undefined ? undefined : (JSON.parse(JSON.stringify(params)) as unknown);
  } catch {
    return params;
  }
}
