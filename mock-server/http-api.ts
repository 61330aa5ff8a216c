/**
 * The HTTP interface: routes, refusals, control routes.
 *
 * Guarantees: every request without a fault gets a JSON answer, also an invalid request; without latency and faults,
 * the answer is sent in the turn of the event loop in which the body ended; control routes have no faults.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { RouteCount } from './activity.js';
import { errorBody } from './bodies.js';
import type { BodyProblem } from './bodies.js';
import type { FaultInjector } from './fault-injector.js';
import { FaultsError } from './fault-options.js';
import type { Refusal } from './fault-rule.js';
import { readJsonBody } from './http-body.js';
import { sendJson, sendSpoilt, statusBody } from './http-reply.js';
import { batchPath, evaluateBatch, operations } from './operations.js';
import type { ServerState } from './server-state.js';

interface Route {
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly count: RouteCount;
  readonly evaluate: (body: unknown, injector: FaultInjector | undefined) => string | BodyProblem;
}

const PONG = '{"msg":"pong"}';

export class HttpApi {
  readonly #routes = new Map<string, Route>();
  /** Accepted connections that stay unanswered for ever. */
  readonly #dead = new WeakSet<Socket>();

  constructor(readonly state: ServerState) {
    this.#add('/', 'GET', () => PONG);
    for (const operation of operations) {
      this.#add(operation.path, 'POST', operation.evaluate);
      const path = batchPath(operation);
      this.#add(path, 'POST', (bodies, injector) =>
        evaluateBatch(operation, bodies, injector === undefined ? undefined : () => injector.isItemFailing(path)),
      );
    }
  }

  /** Leaves a connection unanswered from now on. */
  abandon(socket: Socket): void {
    this.#dead.add(socket);
  }

  isAbandoned(socket: Socket): boolean {
    return this.#dead.has(socket);
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? '/';
    const route = this.#routes.get(url) ?? this.#routes.get(pathOf(url));
    if (route === undefined) {
      this.#handleOther(pathOf(url), request, response);
      return;
    }
    const { state } = this;
    if (this.#dead.has(request.socket)) return;
    state.arrived(route.count, 0);
    const injector = state.injector;
    const wire = injector?.wire(route.path);
    if (wire !== undefined) {
      if (wire === 'reset') request.socket.resetAndDestroy();
      else request.resume();
      return;
    }
    if (!allows(route.method, request.method)) {
      this.#refuseMethod(route.method, request, response);
      return;
    }
    if (route.method === 'GET') {
      request.resume();
      this.#work(route, undefined, request, response, injector);
      return;
    }
    readJsonBody(request, state.options.bodyLimitBytes, (body) => {
      if (body.ok) this.#work(route, body.value, request, response, injector);
      else this.#send(response, body.status, statusBody(body.status, body.message));
    });
  }

  #work(
    route: Route,
    body: unknown,
    request: IncomingMessage,
    response: ServerResponse,
    injector: FaultInjector | undefined,
  ): void {
    const { state } = this;
    const { activity } = state;
    route.count.records += Array.isArray(body) ? body.length : 1;
    const failure = this.#observe(route.path, request, body);
    const refusal = injector?.refuse(route.path, 'http');
    if (refusal?.isImmediate === true) {
      this.#refuse(response, refusal);
      return;
    }
    activity.enter();
    injector?.enter(route.path);
    let ms = state.options.sampler?.() ?? 0;
    if (injector !== undefined) ms = injector.delay(route.path, ms);
    state.later(ms, () => {
      activity.leave();
      injector?.leave(route.path);
      if (request.socket.destroyed) return;
      if (refusal !== undefined) this.#refuse(response, refusal);
      else if (failure !== undefined) this.#send(response, 500, failure);
      else this.#answer(route.path, route.evaluate(body, injector), request, response, injector);
    });
  }

  /** Calls the observer with the request. If the observer throws, returns the body of a status 500. */
  #observe(route: string, { headers }: IncomingMessage, body: unknown): string | undefined {
    try {
      this.state.options.onRequest?.({ transport: 'http', route, headers, body });
      return undefined;
    } catch (error) {
      return statusBody(500, String(error));
    }
  }

  #answer(
    path: string,
    answer: string | BodyProblem,
    request: IncomingMessage,
    response: ServerResponse,
    injector: FaultInjector | undefined,
  ): void {
    if (typeof answer !== 'string') {
      this.#send(response, 422, errorBody(answer));
      return;
    }
    const fault = injector?.reply(path, 'http');
    if (fault === undefined) this.#send(response, 200, answer);
    else sendSpoilt(request, response, answer, fault, this.state.delays);
  }

  #refuse(response: ServerResponse, refusal: Refusal): void {
    const { status, message, retryAfter, location } = refusal;
    const headers: string[] = [];
    if (retryAfter !== undefined) headers.push('retry-after', retryAfter);
    if (location !== undefined) headers.push('location', location);
    this.#send(response, status, statusBody(status, message), headers);
  }

  #send(response: ServerResponse, status: number, text: string, headers?: readonly string[]): void {
    this.state.activity.replied(status);
    sendJson(response, status, text, headers);
  }

  #refuseMethod(method: string, request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const text = statusBody(405, `Expected ${method}, got ${request.method ?? 'no method'}.`);
    this.#send(response, 405, text, ['allow', method]);
  }

  /** Answers control routes and unknown paths. Their requests are not counted and have no faults. */
  #handleOther(path: string, request: IncomingMessage, response: ServerResponse): void {
    const { state } = this;
    if (path === '/control/stats' || path === '/control/faults') {
      if (allows('GET', request.method)) {
        request.resume();
        sendJson(response, 200, JSON.stringify(path === '/control/stats' ? state.activity.snapshot() : state.faults));
      } else if (path === '/control/faults' && request.method === 'PUT') this.#putFaults(request, response);
      else this.#refuseMethod(path === '/control/stats' ? 'GET' : 'GET, PUT', request, response);
      return;
    }
    request.resume();
    this.#send(response, 404, statusBody(404, `There is nothing at ${path}.`));
  }

  #putFaults(request: IncomingMessage, response: ServerResponse): void {
    readJsonBody(request, this.state.options.bodyLimitBytes, (body) => {
      if (!body.ok) {
        sendJson(response, body.status, statusBody(body.status, body.message));
        return;
      }
      try {
        this.state.setFaults(body.value);
        sendJson(response, 200, JSON.stringify(this.state.faults));
      } catch (error) {
        if (!(error instanceof FaultsError)) throw error;
        sendJson(response, 422, errorBody(error.problem));
      }
    });
  }

  #add(path: string, method: 'GET' | 'POST', evaluate: Route['evaluate']): void {
    this.#routes.set(path, { path, method, evaluate, count: this.state.activity.route(path) });
  }
}

/** A GET route also answers HEAD; Node omits the body. */
function allows(expected: 'GET' | 'POST', method: string | undefined): boolean {
  return method === expected || (expected === 'GET' && method === 'HEAD');
}

function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}
