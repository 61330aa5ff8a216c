/**
 * Requests of a task that bypass axios. The config that axios has built for the first request is kept, and similar
 * requests are sent with it over undici. This module is loaded when a task opens.
 *
 * Guarantees: the result is the same as with axios. An answer that is not plainly a success is passed to axios with
 * `leaveToAxios`, so redirects, statuses, errors and their texts are always those of axios. No request is prepared if
 * the user has changed a default of axios that must process each request.
 */
import { CanceledError, type AxiosResponseTransformer, type InternalAxiosRequestConfig } from 'axios';
import type { Dispatcher } from 'undici';
import type { Dispatchers } from './agent.js';
import type { Direct, HopOutcome } from './direct.js';
import type { ExchangeSettings } from './exchange-settings.js';
import { dataOf, firstHop, isValidStatus, mostBytes, redirectOf } from './exchange.js';
import { isReadAnswer } from './read-answer.js';
import { Reception, type Received } from './receive.js';
import { unpack } from './unpack.js';

/** The common parts of the requests of a task. */
export interface Template {
  /** The headers that are the same in all requests. */
  readonly headers: Readonly<Record<string, string>>;
  /** The names of the headers that differ. A header of `headers` with such a name is not sent. */
  readonly varying: readonly string[];
  /** Whether they have a body, which then is text that was serialized before. */
  readonly hasBody: boolean;
}

/** The receiver of the answer to a request. Exactly one of its methods is called, unless the request is aborted. */
export interface AnswerTarget {
  /** Receives the data of a success, after the transformers of axios. */
  answered(data: unknown): void;
  /** Asks to process the request with axios. Its first hop is not sent again, because it has this outcome. */
  leaveToAxios(outcome: HopOutcome): void;
}

/** The prepared request, or undefined if each request needs axios. */
export function prepareRequest(
  { config }: Direct,
  { headers: given, varying, hasBody }: Template,
  dispatchers: Dispatchers,
  settings: ExchangeSettings,
): PreparedRequest | undefined {
  if (config === undefined || !isPlain(config) || !areKnown(config, hasBody)) return undefined;
  const { url, method, headers } = firstHop(config, given);
  const flat: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'object') return undefined;
    if (!varying.includes(name)) flat.push(name, value);
  }
  // The first record and its answer must not be held as long as the run.
  const kept = { ...config, data: undefined, direct: undefined };
  return new PreparedRequest({
    config: kept,
    dispatcher: dispatchers.of(url, config.proxy === false),
    url: config.url ?? '',
    origin: url.origin,
    path: pathOf(url),
    method,
    headers: flat,
    maxBytes: mostBytes(config, settings),
  });
}

/** Whether axios would treat each request in the same way. The user may have changed the defaults of axios. */
function isPlain(config: InternalAxiosRequestConfig): boolean {
  const { baseURL, timeout = 0, signal, cancelToken } = config;
  const params = config.params as unknown;
  return (
    baseURL === undefined && params === undefined && timeout === 0 && signal === undefined && cancelToken === undefined
  );
}

/**
 * Whether the transformers are those of axios and of this connector. Other transformers may treat each request
 * differently, or read headers. Serialized text bypasses the transformers of requests.
 */
function areKnown({ transformRequest, transformResponse }: InternalAxiosRequestConfig, hasBody: boolean): boolean {
  const isOfAxios = (transform: object, name: string): boolean => (transform as { name?: unknown }).name === name;
  return (
    (hasBody || [transformRequest ?? []].flat().every((one) => isOfAxios(one, 'transformRequest'))) &&
    [transformResponse ?? []].flat().every((one) => isReadAnswer(one) || isOfAxios(one, 'transformResponse'))
  );
}

interface Parts {
  readonly config: InternalAxiosRequestConfig;
  readonly dispatcher: Dispatcher;
  /** The URL of the first request, and its parts. */
  readonly url: string;
  readonly origin: string;
  readonly path: string;
  readonly method: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly maxBytes: number;
}

export class PreparedRequest {
  private readonly parts: Parts;
  private readonly transforms: readonly AxiosResponseTransformer[];

  constructor(parts: Parts) {
    this.parts = parts;
    this.transforms = [parts.config.transformResponse ?? []].flat();
  }

  /** A new array of the headers that all requests have in common, names and values in turn. */
  commonHeaders(): string[] {
    return this.parts.headers.slice();
  }

  /** Creates a request, which its own `send` sends. */
  begin(target: AnswerTarget): PreparedReception {
    return new PreparedReception(this, this.parts.maxBytes, target);
  }

  /** Called by the result of `begin`. */
  dispatch(url: string, headers: string[], body: string | null, reception: PreparedReception): void {
    const { parts } = this;
    const path = url === parts.url ? parts.path : pathOf(new URL(url));
    parts.dispatcher.dispatch({ origin: parts.origin, path, method: parts.method, headers, body }, reception);
  }

  /** The data that axios would resolve with for an answer; undefined if axios would or might reject. */
  read(received: Received, body: Buffer): { readonly data: unknown } | undefined {
    const { config } = this.parts;
    try {
      let data: unknown = dataOf(body, received, config);
      for (const transform of this.transforms) {
        // Nothing is prepared for transformers that read headers.
        data = transform.call(config, data, undefined as never, received.status) as unknown;
      }
      return { data };
    } catch {
      // axios throws the error again, as an error of its own.
      return undefined;
    }
  }

  /** Whether an answer is plainly a success. */
  isSuccess(received: Received): boolean {
    const { config } = this.parts;
    return redirectOf(received) === undefined && isValidStatus(received.status, config);
  }

  /** The decompressed body; a promise if it is compressed. */
  bodyOf({ body, headers }: Received): Buffer | Promise<Buffer> {
    const { config, maxBytes } = this.parts;
    const isPacked = headers['content-encoding'] !== undefined && config.decompress !== false;
    return isPacked ? unpack(body, headers, maxBytes) : body;
  }
}

/** One prepared request. */
export class PreparedReception extends Reception {
  private readonly request: PreparedRequest;
  private readonly target: AnswerTarget;
  private isAborted = false;

  constructor(request: PreparedRequest, maxBytes: number, target: AnswerTarget) {
    super(maxBytes);
    this.request = request;
    this.target = target;
  }

  /**
   * Sends the request.
   * @param url of the same origin as that of the first request.
   * @param headers all of them, names and values in turn.
   */
  send(url: string, headers: string[], body: string | null): void {
    this.request.dispatch(url, headers, body, this);
  }

  /** Closes the connection. The target is not called any more. */
  abort(): void {
    this.isAborted = true;
    this.cancel(new CanceledError());
  }

  protected override received(received: Received): void {
    const { request, target } = this;
    if (!request.isSuccess(received)) {
      target.leaveToAxios({ received });
      return;
    }
    const body = request.bodyOf(received);
    if (!(body instanceof Promise)) this.settle(received, body);
    else {
      body.then(
        (unpacked) => {
          this.settle(received, unpacked);
        },
        () => {
          // axios decompresses the body again, and reports its own error.
          this.leave({ received });
        },
      );
    }
  }

  protected override failed(error: Error): void {
    this.leave({ error });
  }

  private settle(received: Received, body: Buffer): void {
    const read = this.request.read(received, body);
    if (read === undefined) this.leave({ received });
    else if (!this.isAborted) this.target.answered(read.data);
  }

  private leave(outcome: HopOutcome): void {
    if (!this.isAborted) this.target.leaveToAxios(outcome);
  }
}

function pathOf({ pathname, search }: URL): string {
  return search === '' ? pathname : pathname + search;
}
