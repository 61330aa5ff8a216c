/**
 * One WebSocket connection with JSON-RPC 2.0.
 *
 * Guarantees: a message gets at most one message as its answer (a batch gets one array when its slowest call is done;
 * notifications get none); replies written in one turn of the event loop leave in one system call; if a client does not
 * read, the server stops reading from it, so its memory does not grow.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { RouteCount } from './activity.js';
import type { FaultInjector } from './fault-injector.js';
import type { Refusal } from './fault-rule.js';
import { wrongSchema } from './http-reply.js';
import * as rpc from './json-rpc.js';
import type { RpcCall } from './json-rpc.js';
import { operations } from './operations.js';
import type { Operation } from './operations.js';
import type { ServerState } from './server-state.js';
import { WsOutbox } from './ws-outbox.js';

interface Method {
  readonly operation: Operation;
  readonly count: RouteCount;
}

/** The methods of a server with their counters. All connections of the server share them. */
export type Methods = ReadonlyMap<string, Method>;

export function methodsOf(state: ServerState): Methods {
  return new Map(
    operations.map((operation) => [operation.method, { operation, count: state.activity.route(operation.method) }]),
  );
}

interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data: unknown;
}

/** The calls of one message in progress: their replies so far, and the routes they have entered. */
interface Work {
  readonly injector: FaultInjector | undefined;
  readonly replies: string[];
  /** The routes that the calls have entered; the connection leaves them when it answers the message. */
  readonly entered: string[];
  delayMs: number;
}

export class WsConnection {
  readonly #outbox: WsOutbox;
  #isDead = false;

  constructor(
    readonly socket: WebSocket,
    readonly raw: Socket,
    readonly headers: IncomingHttpHeaders,
    readonly state: ServerState,
    readonly methods: Methods,
  ) {
    this.#outbox = new WsOutbox(socket, raw, state.delays);
    socket.on('message', (data: Buffer) => {
      if (!this.#isDead) this.#receive(data.toString());
    });
    // This class answers pings in place of ws, so that a half-open connection can stay silent.
    socket.on('ping', (data) => {
      if (!this.#isDead) socket.pong(data);
    });
  }

  #receive(text: string): void {
    const { state } = this;
    const { activity } = state;
    activity.messages++;
    const message = rpc.readMessage(text);
    if ('code' in message) {
      activity.replied(message.code);
      this.#outbox.send(rpc.errorReply(null, message.code, message.message));
      return;
    }
    const calls = message.entries.map(rpc.readCall);
    const route = calls[0]?.method ?? '';
    for (const call of calls) this.#count(call);
    const injector = state.injector;
    const wire = injector?.wire(route);
    if (wire === 'reset') {
      this.#isDead = true;
      this.raw.resetAndDestroy();
      return;
    }
    if (wire === 'halfOpen') {
      this.#isDead = true;
      this.#outbox.isClosed = true;
      this.socket.pause();
      return;
    }
    const work: Work = { injector, replies: [], entered: [], delayMs: 0 };
    for (const call of calls) this.#answer(call, work);
    state.later(work.delayMs, () => {
      for (const name of work.entered) {
        activity.leave();
        injector?.leave(name);
      }
      this.#reply(route, message.isBatch, work);
    });
  }

  #count(call: RpcCall | undefined): void {
    const method = call === undefined ? undefined : this.methods.get(call.method);
    if (method !== undefined) this.state.arrived(method.count);
  }

  /** Evaluates one call and adds its reply, unless the call is a notification or a fault drops the reply. */
  #answer(call: RpcCall | undefined, work: Work): void {
    const { activity } = this.state;
    if (call === undefined) {
      activity.replied(rpc.INVALID_REQUEST);
      work.replies.push(rpc.errorReply(null, rpc.INVALID_REQUEST, 'Invalid Request'));
      return;
    }
    const { id } = call;
    const method = this.methods.get(call.method);
    if (method === undefined) {
      if (id === undefined) return;
      activity.replied(rpc.METHOD_NOT_FOUND);
      work.replies.push(
        rpc.errorReply(id, rpc.METHOD_NOT_FOUND, `Method not found: ${call.method.slice(0, rpc.SHOWN_CHARACTERS)}`),
      );
      return;
    }
    const failure = this.#observe(call);
    const refusal = work.injector?.refuse(call.method, 'ws');
    if (refusal?.isImmediate !== true) this.#enter(call.method, work);
    if (refusal !== undefined) {
      if (id !== undefined) work.replies.push(this.#refused(id, refusal));
      return;
    }
    if (id === undefined) return;
    const answer = failure ?? method.operation.evaluate(call.params);
    if (typeof answer === 'string') this.#push(id, call.method, answer, work);
    else {
      const error =
        failure === undefined ? { code: rpc.INVALID_PARAMS, message: 'Invalid params', data: answer } : failure;
      activity.replied(error.code);
      work.replies.push(rpc.errorReply(id, error.code, error.message, error.data));
    }
  }

  #enter(route: string, work: Work): void {
    this.state.activity.enter();
    work.entered.push(route);
    let ms = this.state.options.sampler?.() ?? 0;
    if (work.injector !== undefined) {
      work.injector.enter(route);
      ms = work.injector.delay(route, ms);
    }
    if (ms > work.delayMs) work.delayMs = ms;
  }

  /** Calls the observer with the call. If the observer throws, returns an internal error. */
  #observe(call: RpcCall): RpcError | undefined {
    try {
      this.state.options.onRequest?.({
        transport: 'ws',
        route: call.method,
        headers: this.headers,
        body: call.params,
      });
      return undefined;
    } catch (error) {
      return { code: rpc.INTERNAL_ERROR, message: 'Internal error', data: { message: String(error) } };
    }
  }

  #push(id: rpc.RpcId, route: string, result: string, work: Work): void {
    const { replies } = work;
    const fault = work.injector?.rpcReply(route);
    if (fault === 'dropReply') return;
    if (fault === 'unknownIdReply') replies.push(rpc.resultReply(`never-sent-${String(id)}`, result));
    this.state.activity.replied('ok');
    const reply = rpc.resultReply(id, fault === 'wrongSchema' ? wrongSchema(result) : result);
    replies.push(reply);
    if (fault === 'duplicateReply') replies.push(reply);
  }

  #refused(id: rpc.RpcId, refusal: Refusal): string {
    const { status, message, retryAfter } = refusal;
    const code = status === 500 ? rpc.INTERNAL_ERROR : rpc.SERVER_ERROR;
    this.state.activity.replied(code);
    return rpc.errorReply(id, code, message, retryAfter === undefined ? { status } : { status, retryAfter });
  }

  #reply(route: string, isBatch: boolean, { injector, replies }: Work): void {
    if (replies.length === 0) return;
    const fault = injector?.reply(route, 'ws');
    if (fault === undefined) {
      if (isBatch) this.#outbox.send(`[${replies.join(',')}]`);
      else for (const reply of replies) this.#outbox.send(reply);
      return;
    }
    if (fault.kind === 'reorderReply' && isBatch) replies.reverse();
    if (isBatch) this.#outbox.sendSpoilt(`[${replies.join(',')}]`, fault, isBatch);
    else for (const reply of replies) this.#outbox.sendSpoilt(reply, fault, isBatch);
  }
}
