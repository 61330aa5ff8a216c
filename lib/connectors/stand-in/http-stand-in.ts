/**
 * An adapter of axios that asks an upstream in this process. Promise: all that axios does before and after a request is
 * done: interceptors, headers, how the answer is read, which status is an error, how large an answer may be.
 */
import { AxiosError, AxiosHeaders, CanceledError } from 'axios';
import type { AxiosAdapter, AxiosResponse, InternalAxiosRequestConfig } from 'axios';
import { describeThrown, MillraceError } from '../../core/errors.js';
import type { Upstream, UpstreamReply } from '../../core/upstream.js';
import { answered } from './answered.js';
import { attemptOf } from './which-attempt.js';

export interface HttpStandInParts {
  readonly upstream: Upstream;
  readonly task: string;
  /** The header of the idempotency key. */
  readonly keyHeader: string | undefined;
}

export function httpStandIn({ upstream, task, keyHeader }: HttpStandInParts): AxiosAdapter {
  return async (config) => {
    const signal = config.signal as AbortSignal;
    const headers = lowerCase(config.headers.toJSON());
    let reply: UpstreamReply;
    try {
      reply = await answered(upstream, {
        task,
        url: config.url ?? '',
        method: (config.method ?? 'get').toUpperCase(),
        headers,
        body: bodyOf(config, headers['content-type']),
        key: keyHeader === undefined ? undefined : headers[keyHeader.toLowerCase()],
        ...attemptOf(config),
        signal,
      });
    } catch (error) {
      throw signal.aborted ? new CanceledError() : connectionFailure(error, config);
    }
    return settle(reply, config);
  };
}

function settle(reply: UpstreamReply, config: InternalAxiosRequestConfig): AxiosResponse {
  const { status, headers = {} } = reply;
  const text = reply.text ?? (reply.body === undefined ? '' : JSON.stringify(reply.body));
  const { maxContentLength = -1, validateStatus } = config;
  if (maxContentLength >= 0 && Buffer.byteLength(text) > maxContentLength) {
    throw new AxiosError(`more than ${maxContentLength} bytes`, AxiosError.ERR_BAD_RESPONSE, config);
  }
  const data = config.responseType === 'arraybuffer' ? Buffer.from(text) : text;
  const response = { data, status, statusText: '', headers: new AxiosHeaders({ ...headers }), config };
  if (typeof validateStatus !== 'function' || validateStatus(status)) return response;
  const code = status < 500 ? AxiosError.ERR_BAD_REQUEST : AxiosError.ERR_BAD_RESPONSE;
  throw new AxiosError(`Request failed with status code ${status}`, code, config, undefined, response);
}

/** As the real adapter tells of it. */
function connectionFailure(error: unknown, config: InternalAxiosRequestConfig): unknown {
  if (error instanceof MillraceError) return error;
  const { code } = (error ?? {}) as { readonly code?: string };
  const failure = new AxiosError(describeThrown(error), code ?? AxiosError.ERR_NETWORK, config);
  failure.cause = error as Error;
  return failure;
}

function lowerCase(headers: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
}

function bodyOf({ data }: InternalAxiosRequestConfig, type = ''): unknown {
  if (typeof data !== 'string' || !type.includes('json')) return data;
  return JSON.parse(data) as unknown;
}
