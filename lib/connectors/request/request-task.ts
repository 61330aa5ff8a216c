/**
 * Requests: one call of an upstream API a record, over HTTP (axios) or WebSocket (JSON-RPC 2.0), as the URL says.
 *
 * Promises: an upstream that is slow, broken or away loses no record and hangs no run; every attempt of a record carries
 * the same idempotency key; the URL comes from the configuration, records only fill places in path and query; what comes
 * back is bounded and checked before it becomes a record; a request that fails ends its own record, the others go on.
 */
import type { OperatorFunction } from 'rxjs';
import type { AxiosInstance, AxiosRequestConfig } from 'axios';
import { holdClock, type Clock } from '../../model/clock.js';
import { MillraceError } from '../../model/errors.js';
import type { RunOutcome } from '../../model/ports.js';
import type { TaskScope } from '../../stream/task-scope.js';
import type { Batch, Skip } from '../../model/record.js';
import { validate } from '../../options/schema.js';
import type { Attempt, Caller } from '../../calls/call.js';
import type { CallPolicies } from '../../calls/policies/call-policies.js';
import { mapCalls } from '../../calls/map-calls.js';
import { checkInput, checkOutput, contextOf } from '../../tasks/record-step.js';
import { Task } from '../../tasks/task.js';
import type { HttpCallerParts } from '../http/http-caller.js';
import { CREDENTIALS, DEFAULT_MAX_RESPONSE_BYTES } from '../http/undici-adapter.js';
import { CallIdentity } from './request-identity.js';
import { checkRequestOptions, checkTransport, policiesOf, type RequestOptions } from './request-options.js';
import { assertMethod, isHttpMethod, isIdempotentMethod, takesBody } from './request-method.js';
import { isSocket, UrlTemplate } from './request-url.js';
import type { SocketCallerParts } from '../websocket/socket-caller.js';
import { resolveWebSocketOptions } from '../websocket/web-socket-options.js';

export type { RequestOptions };

const DEFAULT_HTTP_CONCURRENCY = 64;
const DEFAULT_SOCKET_CONCURRENCY = 512;

/**
 * Calls an upstream once a record and emits its answer. Throws MILLRACE_INVALID_OPTION for options that do not fit; what
 * depends on the URL is checked when the run opens.
 *
 * @example requestTask({ url: config.ats_url, body: (member: Member) => member.features, response: Prediction })
 * @example requestTask({ url: 'wss://models.example/rpc', method: 'ats.predict', response: Prediction })
 */
export function requestTask<In, Out>(options: RequestOptions<In, Out>): RequestTask<In, Out> {
  return new RequestTask(options);
}

/**
 * What `requestTask` makes. Its constructor throws MILLRACE_INVALID_OPTION for options that do not
 * fit; what depends on the URL is checked when the run opens.
 */
export class RequestTask<In, Out> extends Task<In, Out> {
  override readonly kind = 'request';
  /** What holds for the calls of this task; prints itself. */
  readonly policies: CallPolicies;
  private readonly request: RequestOptions<In, Out>;
  private url: UrlTemplate | undefined;
  private client: AxiosInstance | undefined;
  private modules: Transports | undefined;
  private standIns: typeof import('./stand-in/stand-ins.js') | undefined;
  private readonly closers: (() => Promise<void>)[] = [];

  constructor(options: RequestOptions<In, Out>) {
    checkRequestOptions(options);
    const { concurrency, ...rest } = options;
    super(typeof concurrency === 'number' ? { ...rest, concurrency } : rest);
    this.policies = policiesOf(options);
    this.request = options;
  }

  protected override process(): never {
    throw new TypeError('A request task works on calls, not on single records');
  }

  /**
   * Asks for the URL and loads its transport. Rejects with MILLRACE_CONFIG for a URL that cannot be called, and with
   * MILLRACE_INVALID_OPTION for options that are not for its transport or not for its method.
   */
  override async open({ task, upstream, clock }: TaskScope): Promise<void> {
    const { url: given } = this.request;
    if (typeof given === 'function' && upstream === undefined) this.foresee();
    const url = new UrlTemplate(typeof given === 'function' ? await given() : given, task);
    this.url = url;
    checkTransport(this.request, isSocket(url), task);
    assertMethod(this.request, url, task);
    // Loaded here, not above: a program that makes no request does not pay for its transports.
    if (upstream !== undefined) this.standIns = await holdClock(clock, import('./stand-in/stand-ins.js'));
    if (isSocket(url)) this.modules = { socket: await holdClock(clock, import('../websocket/socket-caller.js')) };
    else {
      this.modules = { http: await holdClock(clock, import('../http/http-caller.js')) };
      this.client = this.request.axios ?? (await this.makeClient(clock));
    }
    this.checkHedge(task);
  }

  override async close(_outcome: RunOutcome): Promise<void> {
    for (const close of this.closers.splice(0)) await close();
  }

  /**
   * Calls the upstream that `open` has found. What is wrong with a record, MILLRACE_INVALID_INPUT for one that cannot
   * fill the URL, ends that record.
   */
  override operator(scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
    const url = this.url as UrlTemplate;
    const { ordered = false, batch } = this.request;
    const { policies, isIdempotent } = this;
    return mapCalls<In, Out>(
      isSocket(url) ? this.socketCaller(url, scope) : this.httpCaller(url, scope),
      {
        policies,
        concurrency: isSocket(url) ? DEFAULT_SOCKET_CONCURRENCY : DEFAULT_HTTP_CONCURRENCY,
        upstream: url.label,
        isIdempotent,
        ordered,
        ...(batch === undefined ? {} : { group: { max: batch.max, waitMs: batch.waitMs ?? 5 } }),
      },
      scope,
    );
  }

  /** A URL that is asked for may take its time, a server that starts: what it will most likely need is loaded meanwhile. */
  private foresee(): void {
    const loading = isHttpMethod(this.method)
      ? [import('axios'), import('../http/http-caller.js'), import('../http/exchange.js'), import('../http/agent.js')]
      : [import('../websocket/socket-caller.js')];
    // What cannot be loaded is told where it is needed.
    for (const loaded of loading) loaded.catch(() => undefined);
  }

  private get method(): string {
    return this.request.method ?? 'POST';
  }

  /** Whether a call whose outcome is unknown may be sent again. */
  private get isIdempotent(): boolean {
    if (this.request.idempotencyKey !== false) return true;
    return this.client !== undefined && isIdempotentMethod(this.method);
  }

  private checkHedge(task: string): void {
    if (this.policies.hedge === undefined || this.isIdempotent) return;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `\`hedge\` of '${task}' makes a call twice, which is only safe with an idempotency key or a method such as GET. Leave out \`idempotencyKey: false\`, or \`hedge\``,
    );
  }

  private httpCaller(url: UrlTemplate, scope: TaskScope): Caller<In, Out | Skip> {
    const { request, isIdempotent } = this;
    const { idempotencyKey = 'idempotency-key', correlationId = 'x-correlation-id', batch } = request;
    const { HttpCaller } = (this.modules as Required<Transports>).http;
    const keyHeader = idempotencyKey === false ? undefined : idempotencyKey;
    const { task, upstream } = scope;
    const adapter = upstream && this.standIns?.httpStandIn(request, { upstream, task, keyHeader, clock: scope.clock });
    return new HttpCaller<In, Out | Skip>({
      client: this.client as AxiosInstance,
      url,
      method: this.method,
      ...this.httpHeaders,
      keyHeader,
      correlationHeader: correlationId === false ? undefined : correlationId,
      sendsTrace: request.trace ?? true,
      identity: new CallIdentity(scope.runId, scope.task, scope.numbering),
      isIdempotent,
      isOwnClient: request.axios === undefined && adapter === undefined,
      shared: adapter === undefined ? this.sharedConfig : { ...this.sharedConfig, adapter },
      task,
      clock: scope.clock,
      bodyOf: this.bodyOf(scope, this.method.toUpperCase()),
      read: this.reader(url, scope),
      ...(batch === undefined ? {} : { batch: { errorOf: batch.errorOf } }),
    });
  }

  private socketCaller(url: UrlTemplate, scope: TaskScope): Caller<In, Out | Skip> {
    const { request, isIdempotent } = this;
    const { idempotencyKey = 'idempotencyKey', headers = {} } = request;
    const identity = new CallIdentity(scope.runId, scope.task, scope.numbering);
    const { SocketCaller } = (this.modules as Required<Transports>).socket;
    const parts: SocketCallerParts<In, Out | Skip> = {
      url: url.fill(undefined),
      upstream: url.label,
      task: scope.task,
      method: this.method,
      headers: { 'x-correlation-id': scope.runId, ...headers },
      settings: resolveWebSocketOptions(request.websocket),
      maxPayloadBytes: request.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES,
      keyName: idempotencyKey === false ? undefined : idempotencyKey,
      sendsTrace: request.trace ?? false,
      identity,
      isIdempotent,
      clock: scope.clock,
      random: () => scope.random(),
      bodyOf: this.bodyOf(scope, 'POST'),
      read: this.reader(url, scope),
    };
    const { upstream } = scope;
    if (upstream !== undefined && this.standIns !== undefined) return new this.standIns.SocketStandIn(parts, upstream);
    const caller = new SocketCaller(parts);
    this.closers.push(() => caller.close());
    return caller;
  }

  /** What holds for every request over HTTP. */
  private get sharedConfig(): AxiosRequestConfig {
    const { responseType = 'json', maxResponseBytes = DEFAULT_MAX_RESPONSE_BYTES, maxRedirects = 5 } = this.request;
    const { axios, credentialHeaders = [] } = this.request;
    // Else a body that is cut off would pass as text.
    const transitional = { silentJSONParsing: false };
    const shared = { responseType, transitional, maxContentLength: maxResponseBytes, maxRedirects };
    // Our own adapter was told when it was made; the one of axios itself wants to hear it with each request.
    return axios === undefined ? shared : { ...shared, sensitiveHeaders: [...CREDENTIALS, ...credentialHeaders] };
  }

  /** The given headers, with the type of the content apart. */
  private get httpHeaders(): Pick<HttpCallerParts<In, Out>, 'headers' | 'contentType' | 'sendsJson' | 'writesJson'> {
    const rest = Object.entries(this.request.headers ?? {});
    const index = rest.findIndex(([name]) => name.toLowerCase() === 'content-type');
    const named = index < 0 ? undefined : rest.splice(index, 1)[0]?.[1];
    const headers = Object.fromEntries(rest);
    if (!takesBody(this.method)) {
      const contentType: Record<string, string> = named === undefined ? {} : { 'content-type': named };
      return { headers, contentType, sendsJson: false, writesJson: false };
    }
    const type = named ?? 'application/json';
    const sendsJson = type.includes('json');
    const writesJson = sendsJson && this.request.axios === undefined;
    return { headers, contentType: { 'content-type': type }, sendsJson, writesJson };
  }

  /** What is sent for an attempt: the record checked, and what the user makes of it. */
  private bodyOf(scope: TaskScope, method: string): (attempt: Attempt<In>) => unknown {
    const check = checkInput<In>(this.options.input, scope.task);
    const { body } = this.request;
    if (body !== undefined) {
      return ({ call, number }) => body(check(call.record), contextOf(scope, call.lineage, number));
    }
    return takesBody(method)
      ? ({ call }) => check(call.record)
      : ({ call }) => {
          check(call.record);
          return undefined;
        };
  }

  /** Makes an output of an answer. */
  private reader(url: UrlTemplate, scope: TaskScope): (answer: unknown) => Out | Skip {
    const { response } = this.request;
    const after = checkOutput<Out>(this.options.output, scope.task);
    if (response === undefined) return (answer) => after(answer as Out);
    const subject = `The answer of ${url.label} to '${scope.task}'`;
    return (answer) => after(validate(response, answer, 'MILLRACE_INVALID_OUTPUT', subject));
  }

  private async makeClient(clock: Clock): Promise<AxiosInstance> {
    const { maxResponseBytes = DEFAULT_MAX_RESPONSE_BYTES, credentialHeaders = [] } = this.request;
    const [{ default: axios }, { undiciAdapter }, { keepWritten }] = await holdClock(
      clock,
      Promise.all([import('axios'), import('../http/undici-adapter.js'), import('../http/json-body.js')]),
    );
    const adapter = undiciAdapter({
      connections: this.policies.concurrency(DEFAULT_HTTP_CONCURRENCY).max,
      maxResponseBytes,
      credentialHeaders,
    });
    this.closers.push(() => adapter.close());
    const transforms = [axios.defaults.transformRequest ?? []].flat();
    const written = this.httpHeaders.writesJson ? { transformRequest: keepWritten(transforms) } : {};
    return axios.create({ ...this.sharedConfig, adapter, ...written });
  }
}

/** The transport that the URL asks for. */
interface Transports {
  readonly http?: typeof import('../http/http-caller.js');
  readonly socket?: typeof import('../websocket/socket-caller.js');
}
