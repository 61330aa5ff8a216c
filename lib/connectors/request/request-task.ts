/**
 * Request tasks: one call of an upstream API per record, over HTTP or WebSocket (JSON-RPC 2.0), depending on the URL.
 *
 * Guarantees: a slow, broken or unreachable upstream loses no record and never hangs the run. All attempts of a record
 * carry the same idempotency key. The URL comes from the configuration; records fill only places in its path and query.
 * Answers are limited in size and checked before they become records. A failed request ends only its own record.
 */
import type { OperatorFunction } from 'rxjs';
import {
  MillraceError,
  BaseTask,
  holdClock,
  type Batch,
  type RunOutcome,
  type TaskBound,
  type TaskMemo,
  type TaskScope,
} from '../../connect/index.js';
import { mapCalls } from '../../calls/map-calls.js';
import type { CallPolicies } from '../../calls/policies/call-policies.js';
import { checkRequestOptions, checkTransport, policiesOf, type RequestOptions } from './request-options.js';
import { CREDENTIALS } from './http-defaults.js';
import { assertMethod, isHttpMethod, isIdempotentMethod } from './request-method.js';
import { isSocket, UrlTemplate } from './request-url.js';
import { DEFAULT_HTTP_CONCURRENCY, DEFAULT_SOCKET_CONCURRENCY, type Transport } from './transport.js';

export type { RequestOptions };

/**
 * Calls an upstream once per record and emits its answer. Throws MILLRACE_INVALID_OPTION for options that do not fit;
 * what depends on the URL is checked when the run opens.
 *
 * @example requestTask({ url: config.ats_url, body: (member: Member) => member.features, response: Prediction })
 * @example requestTask({ url: 'wss://models.example/rpc', method: 'ats.predict', response: Prediction })
 */
export function requestTask<In, Out>(options: RequestOptions<In, Out>): RequestTask<In, Out> {
  return new RequestTask(options);
}

/**
 * The task that `requestTask` returns. Its constructor throws MILLRACE_INVALID_OPTION for options that do not fit; what
 * depends on the URL is checked when the run opens.
 */
export class RequestTask<In, Out> extends BaseTask<In, Out> {
  override readonly kind = 'request';
  override readonly makesCalls = true;
  /** Its calls are spans of traces: see `Task.callsUpstream`. */
  readonly callsUpstream = true;
  /** The policies of the calls of this task. They print themselves. */
  readonly policies: CallPolicies;
  private readonly request: RequestOptions<In, Out>;
  private url: UrlTemplate | undefined;
  private transport: Transport<In, Out> | undefined;

  constructor(options: RequestOptions<In, Out>) {
    checkRequestOptions(options);
    super(options);
    this.policies = policiesOf(options);
    this.request = options;
  }

  /**
   * Resolves the URL and loads its transport. Rejects with MILLRACE_CONFIG if the URL cannot be called, and with
   * MILLRACE_INVALID_OPTION if an option does not fit the transport or the method.
   */
  override async open({ task, upstream, clock, secrets }: TaskScope): Promise<void> {
    const { request, policies } = this;
    const { url: given } = request;
    secrets.addHeaders(request.headers);
    // Called first, so that a server that it starts can start while modules are loaded.
    const resolving = typeof given === 'function' ? given() : given;
    if (typeof given === 'function' && upstream === undefined) this.preload();
    const address = await resolving;
    if (typeof address === 'string') secrets.addText(address);
    const url = new UrlTemplate(address, task);
    this.url = url;
    checkTransport(request, isSocket(url), task);
    assertMethod(request, url, task);
    this.checkHedge(task);
    const { openConnection, proxiesIn } = await holdClock(clock, import('./connection.js'));
    for (const proxy of proxiesIn(request)) secrets.addText(proxy);
    const connection = await holdClock(clock, openConnection(request, `'${task}'`));
    const parts = { request, policies, url, isIdempotent: this.isIdempotent, clock, upstream, connection };
    // Loaded here and not statically: a program without requests does not load the transports.
    if (isSocket(url)) {
      const { openSocketTransport } = await holdClock(clock, import('../websocket/socket-transport.js'));
      this.transport = await openSocketTransport(parts);
    } else {
      const { openHttpTransport } = await holdClock(clock, import('../http/http-transport.js'));
      this.transport = await openHttpTransport(parts);
    }
  }

  override async close(_outcome: RunOutcome): Promise<void> {
    const { transport } = this;
    this.transport = undefined;
    await transport?.close();
  }

  /**
   * Calls the upstream that `open` has resolved. An error of one record, such as MILLRACE_INVALID_INPUT for a record
   * that cannot fill the URL, ends that record.
   */
  override operator(scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
    const transport = this.transport as Transport<In, Out>;
    const { ordered = false, batch } = this.request;
    return mapCalls<In, Out>(
      transport.caller(scope),
      {
        policies: this.policies,
        concurrency: transport.concurrency,
        upstream: (this.url as UrlTemplate).label,
        isIdempotent: this.isIdempotent,
        ordered,
        ...(batch === undefined ? {} : { group: { max: batch.max, waitMs: batch.waitMs ?? 5 } }),
      },
      scope,
    );
  }

  override get memo(): TaskMemo | undefined {
    const { memo: options, ordered = false } = this.request;
    return options && { options, parts: () => this.callParts(), isOrdered: ordered };
  }

  /** The known facts that the answers depend on. Credentials are left out: they change, and the answers do not. */
  private callParts(): readonly unknown[] {
    const {
      method,
      body,
      headers = {},
      credentialHeaders = [],
      responseType,
      responseEncoding,
      largeIntegers,
    } = this.request;
    const credentials = new Set([...CREDENTIALS, ...credentialHeaders.map((name) => name.toLowerCase())]);
    const sent = Object.entries(headers).filter(([name]) => !credentials.has(name.toLowerCase()));
    return [this.url?.text, method, body && String(body), sent, responseType, responseEncoding, largeIntegers];
  }

  /**
   * A function that returns the URL may be slow, for example because it starts a server. The transport loads in the
   * meantime.
   */
  private preload(): void {
    const loading = isHttpMethod(this.request.method ?? 'POST')
      ? [import('../http/http-transport.js'), import('../http/exchange.js'), import('../http/agent.js')]
      : [import('../websocket/socket-transport.js')];
    // `open` loads the transport again and reports the error.
    for (const loaded of loading) loaded.catch(() => undefined);
  }

  override get bounds(): readonly TaskBound[] {
    const { url, websocket } = this.request;
    const usesSocket = websocket !== undefined || (typeof url === 'string' && /^wss?:/i.test(url));
    const { max } = this.policies.concurrency(usesSocket ? DEFAULT_SOCKET_CONCURRENCY : DEFAULT_HTTP_CONCURRENCY);
    return [{ what: 'calls in flight', most: max }];
  }

  /** Whether a call with an unknown outcome may be repeated. */
  get isIdempotent(): boolean {
    const { idempotencyKey, method = 'POST', repeatable } = this.request;
    if (repeatable !== undefined) return repeatable;
    if (idempotencyKey !== false) return true;
    return this.url !== undefined && !isSocket(this.url) && isIdempotentMethod(method);
  }

  private checkHedge(task: string): void {
    if (this.policies.hedge === undefined || this.isIdempotent) return;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `\`hedge\` of '${task}' makes a call twice, which is only safe with an idempotency key or a method such as GET. Leave out \`idempotencyKey: false\`, or set \`repeatable: true\`, or leave out \`hedge\``,
    );
  }
}
