/** Calls that would go over a WebSocket, answered by an upstream in this process: one call, one reply, no connection. */
import type { Upstream, UpstreamReply } from '../../core/upstream.js';
import { describeValue, MillraceError } from '../../core/errors.js';
import type { Attempt, Caller, CallOutcomes } from '../../stream/call.js';
import type { SocketCallerParts } from '../websocket/socket-caller.js';
import { lossError, remoteError } from '../websocket/socket-errors.js';
import type { LinkEnd } from '../websocket/socket-link.js';
import { answered } from './answered.js';
import { whichAttempt } from './which-attempt.js';

export class SocketStandIn<In, Out> implements Caller<In, Out> {
  private readonly parts: SocketCallerParts<In, Out>;
  private readonly standIn: Upstream;

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
    if (handle instanceof AbortController) handle.abort();
  }

  /** Never rejects. */
  private async ask(attempt: Attempt<In>, outcomes: CallOutcomes<In, Out>): Promise<void> {
    if (attempt.isOver) return;
    const waiting = new AbortController();
    attempt.handle = waiting;
    let result: { output: Out } | { error: unknown };
    try {
      result = { output: this.parts.read(await this.answer(attempt, waiting.signal)) };
    } catch (error) {
      result = { error };
    }
    if (attempt.handle === undefined) return;
    attempt.handle = undefined;
    if ('error' in result) outcomes.fail(attempt, result.error);
    else outcomes.succeed(attempt, result.output);
  }

  private async answer(attempt: Attempt<In>, signal: AbortSignal): Promise<unknown> {
    const { task, url, method, headers, keyName, sendsTrace, identity, bodyOf } = this.parts;
    const { lineage, span } = attempt.call;
    const body = bodyOf(attempt);
    const trace = sendsTrace ? { traceparent: span?.traceparent ?? identity.traceparent(lineage) } : {};
    let reply: UpstreamReply;
    try {
      reply = await answered(this.standIn, {
        task,
        url,
        method,
        headers: { ...headers, ...trace },
        body: body === undefined ? undefined : (JSON.parse(JSON.stringify(body)) as unknown),
        key: keyName === undefined ? undefined : identity.key(lineage),
        ...whichAttempt([attempt]),
        signal,
      });
    } catch (error) {
      throw error instanceof MillraceError ? error : this.loss('broken', error);
    }
    return this.resultOf(reply);
  }

  private resultOf({ status, headers = {}, body, text }: UpstreamReply): unknown {
    if (text !== undefined) throw this.loss('garbage', new Error(describeValue(text, 200)));
    if (JSON.stringify(body ?? null).length > this.parts.maxPayloadBytes) throw this.loss('limit', undefined);
    if (status < 400) return body;
    const message = typeof body === 'string' ? body : describeValue(body, 200);
    const isPassing = status >= 500 || status === 429 || status === 408;
    throw remoteError({ message, isPassing, status, retryAfter: headers['retry-after'] }, this.parts);
  }

  /** What it would mean if a connection ended so. */
  private loss(why: LinkEnd['why'], error: unknown): MillraceError {
    return lossError({ why, error, wasOpen: true }, this.parts);
  }
}
