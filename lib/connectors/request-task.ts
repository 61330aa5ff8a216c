/**
 * Requests: one call of an upstream API a record, over HTTP with axios.
 *
 * Promises: connections are kept alive and bounded by `concurrency`; every attempt has a total deadline, which also
 * ends a body that drips; the URL comes from the configuration alone; what the upstream answers is checked before it
 * becomes a record; a request that fails ends its own record by the failure policy, the others go on.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { AxiosInstance, AxiosRequestConfig } from 'axios';
import { MillraceError, describeThrown, describeValue } from '../core/errors.js';
import type { Awaitable, Clock, RecordContext, RunOutcome, TaskContext } from '../core/ports.js';
import { validate, type Schema } from '../core/schema.js';
import { checkAtLeastOne, DEFAULT_CONCURRENCY, Task, type ConcurrentOptions } from '../tasks/task.js';

export interface RequestOptions<In, Out> extends ConcurrentOptions<In, Out> {
  /** Where to send requests, or how to find it out once, when the run opens. http: or https:. */
  readonly url: string | (() => Awaitable<string>);
  /** Default POST. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** What is sent for a record, as JSON. Default: the record itself; nothing for GET and DELETE. */
  readonly body?: (record: In) => unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Checks what came back; it is what the task emits. */
  readonly response?: Schema<Out>;
  /** The most milliseconds of one attempt, from its start to the last byte of the answer. Default 30,000. */
  readonly timeoutMs?: number;
  /** The most bytes of an answer. Default 10 MiB. */
  readonly maxResponseBytes?: number;
  /** An axios instance of your own, with its interceptors and agents. Default: one a run, with keep-alive. */
  readonly axios?: AxiosInstance;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_RESPONSE_BYTES = 10 * 1024 * 1024;

/**
 * Calls an upstream once a record, up to `concurrency` (default 64) at a time, and emits its answer.
 *
 * @example requestTask({ url: config.ats_url, body: (member: Member) => member.features, response: Prediction })
 */
export function requestTask<In, Out>(options: RequestOptions<In, Out>): Task<In, Out> {
  return new RequestTask(options);
}

class RequestTask<In, Out> extends Task<In, Out> {
  override readonly kind = 'request';
  private readonly request: RequestOptions<In, Out>;
  private client: AxiosInstance | undefined;
  private url = '';
  private task = '';
  private clock: Clock | undefined;
  private closeAgents: () => void = () => undefined;

  constructor(options: RequestOptions<In, Out>) {
    super(options);
    checkAtLeastOne('timeoutMs', options.timeoutMs);
    checkAtLeastOne('maxResponseBytes', options.maxResponseBytes);
    this.request = options;
  }

  override async open(context: TaskContext): Promise<void> {
    const { url } = this.request;
    this.task = context.task;
    this.clock = context.clock;
    this.url = checkUrl(typeof url === 'function' ? await url() : url, context.task);
    this.client = this.request.axios ?? (await this.makeClient());
  }

  override close(_outcome: RunOutcome): void {
    this.closeAgents();
  }

  protected override async process(record: In, context: RecordContext): Promise<Out> {
    const { response, timeoutMs = DEFAULT_TIMEOUT_MS, method = 'POST', headers } = this.request;
    const abort = new AbortController();
    const onRunAbort = (): void => {
      abort.abort();
    };
    const deadline = { isOver: false };
    const cancelTimer = (this.clock as Clock).schedule(timeoutMs, () => {
      deadline.isOver = true;
      abort.abort();
    });
    context.signal.addEventListener('abort', onRunAbort, { once: true });
    try {
      const config: AxiosRequestConfig = {
        url: this.url,
        method,
        signal: abort.signal,
        ...(headers ? { headers } : {}),
      };
      const body = this.bodyOf(record, method);
      if (body !== undefined) config.data = body;
      const { data } = await (this.client as AxiosInstance).request<unknown>(config);
      return response === undefined
        ? (data as Out)
        : validate(response, data, 'MILLRACE_INVALID_OUTPUT', `The answer of ${this.url} to '${this.task}'`);
    } catch (error) {
      throw deadline.isOver ? this.timedOut(timeoutMs, error) : this.explain(error);
    } finally {
      cancelTimer();
      context.signal.removeEventListener('abort', onRunAbort);
    }
  }

  private bodyOf(record: In, method: string): unknown {
    if (this.request.body !== undefined) return this.request.body(record);
    return method === 'GET' || method === 'DELETE' ? undefined : record;
  }

  /** Imported here, not above: a program that never makes a request does not load axios. */
  private async makeClient(): Promise<AxiosInstance> {
    const { default: axios } = await import('axios');
    const sockets = { keepAlive: true, maxSockets: this.request.concurrency ?? DEFAULT_CONCURRENCY };
    const httpAgent = new HttpAgent(sockets);
    const httpsAgent = new HttpsAgent(sockets);
    this.closeAgents = () => {
      httpAgent.destroy();
      httpsAgent.destroy();
    };
    return axios.create({
      httpAgent,
      httpsAgent,
      maxRedirects: 0,
      maxContentLength: this.request.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES,
      proxy: false,
    });
  }

  private timedOut(timeoutMs: number, cause: unknown): MillraceError {
    return new MillraceError(
      'MILLRACE_TIMEOUT',
      `${this.url} did not answer '${this.task}' within ${timeoutMs} ms; whether the request took effect is unknown`,
      { cause, retryable: true },
    );
  }

  private explain(error: unknown): unknown {
    if (error instanceof MillraceError) return error;
    const { response, code } = error as { response?: { status: number; data: unknown }; code?: string };
    if (response !== undefined) {
      const { status, data } = response;
      return new MillraceError(
        'MILLRACE_HTTP_STATUS',
        `${this.url} answered '${this.task}' with status ${status}: ${describeValue(data, 200)}`,
        { cause: error, retryable: status >= 500 || status === 429 || status === 408 },
      );
    }
    return new MillraceError(
      'MILLRACE_NETWORK',
      `${this.url} cannot be reached by '${this.task}': ${describeThrown(error)}${code === undefined ? '' : ` (${code})`}`,
      { cause: error, retryable: true },
    );
  }
}

function checkUrl(given: string, task: string): string {
  let url: URL | undefined;
  try {
    url = new URL(given);
  } catch {
    // The message below says it better than the parser does.
  }
  if (url !== undefined && (url.protocol === 'http:' || url.protocol === 'https:')) return url.href;
  throw new MillraceError(
    'MILLRACE_CONFIG',
    `Expected the URL of '${task}' to start with http:// or https://, got ${describeValue(given)}`,
  );
}
