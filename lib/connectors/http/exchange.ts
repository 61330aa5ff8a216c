/**
 * One axios request and its answer, redirects included. Undici or a stand-in for the network answers each hop. This
 * module is loaded with the first request, or when a task opens.
 */
import { AxiosError, CanceledError, default as axios } from 'axios';
import type { AxiosBasicCredentials, AxiosResponse, InternalAxiosRequestConfig } from 'axios';
import { FatalTaskError } from '../../connect/index.js';
import { directOf } from './direct.js';
import { decodeText } from './decode-text.js';
import { followRedirect, type Hop } from './redirect.js';
import type { Cancellable } from '../request/upstream-answer.js';
import type { Received } from './receive.js';
import { unpack } from './unpack.js';
import { wireBody } from './wire-body.js';
import type { ExchangeSettings } from './exchange-settings.js';

const DEFAULT_MAX_REDIRECTS = 5;

/**
 * Sends one hop and returns its answer of at most `maxBytes`. Rejects on cancellation.
 * @param isDirect whether the request must not use a proxy.
 */
export type AskHop = (hop: Hop, maxBytes: number, cancellation: Cancellable, isDirect: boolean) => Promise<Received>;

export async function exchange(
  config: InternalAxiosRequestConfig,
  ask: AskHop,
  settings: ExchangeSettings,
): Promise<AxiosResponse> {
  const { maxRedirects = DEFAULT_MAX_REDIRECTS } = config;
  const maxBytes = mostBytes(config, settings);
  const direct = directOf(config);
  const cancellation = direct ?? new Cancellation(config, settings.schedule);
  try {
    const bare = firstHop(config, direct?.headers);
    direct?.reach(config);
    const first = withBody(bare, config.data as unknown);
    // Text and bytes are sent in this turn.
    let hop = first instanceof Promise ? await first : first;
    for (let redirects = 0; ; redirects++) {
      const send = (): Promise<Received> => ask(hop, maxBytes, cancellation, config.proxy === false);
      const received = await (redirects === 0 && direct !== undefined ? direct.firstHop(send) : send());
      const location = redirectOf(received);
      if (location === undefined || maxRedirects === 0) return await settle(received, maxBytes, config);
      if (redirects === maxRedirects) {
        throw new AxiosError(`More than ${maxRedirects} redirects`, 'ERR_FR_TOO_MANY_REDIRECTS', config);
      }
      hop = followRedirect(hop, received.status, location, settings.credentialHeaders);
    }
  } catch (error) {
    throw asAxiosError(error, config);
  } finally {
    cancellation.release();
  }
}

/** The most bytes of an answer to this request, compressed or not. */
export function mostBytes({ maxContentLength = -1 }: InternalAxiosRequestConfig, settings: ExchangeSettings): number {
  return maxContentLength >= 0 ? maxContentLength : settings.maxResponseBytes;
}

/** The location that an answer redirects to; undefined if it is not a redirect. */
export function redirectOf({ status, headers }: Received): string | undefined {
  return status >= 300 && status < 400 ? headers['location'] : undefined;
}

/** Whether axios resolves with this status. */
export function isValidStatus(status: number, { validateStatus }: InternalAxiosRequestConfig): boolean {
  return typeof validateStatus !== 'function' || validateStatus(status);
}

/** @param more headers besides those of the config. */
export function firstHop(config: InternalAxiosRequestConfig, more: Readonly<Record<string, string>> = {}): Hop {
  // `getUri` handles base URLs and parameters, but costs as much as the rest of a request.
  const isPlain = config.baseURL === undefined && config.params === undefined;
  const url = new URL(isPlain ? (config.url ?? '') : axios.getUri(config));
  const headers = Object.assign(config.headers.toJSON(), more);
  const names = Object.keys(headers);
  const has = (wanted: string): boolean => names.some((name) => name.toLowerCase() === wanted);
  if (config.decompress !== false && !has('accept-encoding')) headers['accept-encoding'] = 'gzip, deflate, br';
  if (!has('user-agent')) headers['user-agent'] = 'millrace';
  const credentials = config.auth ?? credentialsIn(url);
  if (credentials !== undefined) {
    // As in axios, they replace an authorization header, in upper or lower case.
    for (const name of names) if (name.toLowerCase() === 'authorization') Reflect.deleteProperty(headers, name);
    const pair = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
    headers['authorization'] = `Basic ${pair}`;
  }
  return { url, method: (config.method ?? 'get').toUpperCase(), headers, body: null };
}

/** Text and bytes need no wait. */
function withBody(hop: Hop, data: unknown): Hop | Promise<Hop> {
  if (data === undefined || data === null) return hop;
  if (typeof data === 'string' || data instanceof Uint8Array) return { ...hop, body: data };
  return wireBody(data).then(({ body, type, isTypeFixed }) => {
    const headers: Record<string, string | string[]> = { ...hop.headers };
    const named = Object.keys(headers).find((name) => name.toLowerCase() === 'content-type');
    if (type !== undefined && (isTypeFixed || named === undefined)) {
      if (named !== undefined) Reflect.deleteProperty(headers, named);
      headers['content-type'] = type;
    }
    return { ...hop, headers, body };
  });
}

function credentialsIn({ username, password }: URL): AxiosBasicCredentials | undefined {
  if (username === '' && password === '') return undefined;
  return { username: decoded(username), password: decoded(password) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // The text has a % that does not begin an escape sequence.
    return text;
  }
}

async function settle(
  received: Received,
  maxBytes: number,
  config: InternalAxiosRequestConfig,
): Promise<AxiosResponse> {
  const { status, statusText, headers } = received;
  const body = config.decompress === false ? received.body : await unpack(received.body, headers, maxBytes);
  const response: AxiosResponse = {
    data: dataOf(body, received, config),
    status,
    statusText,
    headers: headers as AxiosResponse['headers'],
    config,
    request: undefined,
  };
  if (isValidStatus(status, config)) return response;
  const code = status < 500 ? AxiosError.ERR_BAD_REQUEST : AxiosError.ERR_BAD_RESPONSE;
  throw new AxiosError(`Request failed with status code ${status}`, code, config, undefined, response);
}

/** The data of a response, before the transformers of axios. Throws if the body cannot be read as text. */
export function dataOf(
  body: Buffer,
  { headers }: Received,
  { responseType, responseEncoding }: InternalAxiosRequestConfig,
): Buffer | string {
  return responseType === 'arraybuffer' ? body : decodeText(body, headers, responseEncoding);
}

function asAxiosError(error: unknown, config: InternalAxiosRequestConfig): unknown {
  // An error that ends the run is not a failed request.
  if (error instanceof AxiosError || error instanceof FatalTaskError) return error;
  const { message, code } = (error ?? {}) as { message?: string; code?: string };
  const wrapped = new AxiosError(message, code ?? AxiosError.ERR_NETWORK, config);
  wrapped.cause = error as Error;
  return wrapped;
}

/** Combines the signal and the timeout of a request. */
export class Cancellation {
  error: Error | undefined;
  private readonly listeners = new Set<(error: Error) => void>();
  private readonly signal: InternalAxiosRequestConfig['signal'];
  private readonly cancelTimer: (() => void) | undefined;

  constructor(config: InternalAxiosRequestConfig, schedule: ExchangeSettings['schedule']) {
    const { signal, timeout = 0 } = config;
    this.signal = signal;
    if (signal?.aborted === true) this.onAbort();
    else signal?.addEventListener?.('abort', this.onAbort);
    if (timeout > 0) {
      this.cancelTimer = schedule(timeout, () => {
        this.cancel(new AxiosError(`timeout of ${timeout}ms exceeded`, AxiosError.ECONNABORTED, config));
      });
    }
  }

  whenCancelled(listener: (error: Error) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  release(): void {
    this.cancelTimer?.();
    this.signal?.removeEventListener?.('abort', this.onAbort);
  }

  private readonly onAbort = (): void => {
    this.cancel(new CanceledError());
  };

  private cancel(error: Error): void {
    this.error ??= error;
    for (const listener of this.listeners) listener(this.error);
  }
}
