/**
 * An adapter of axios that asks an upstream in this process. Promise: all that is done before and after a request is done
 * as if it were sent: interceptors, headers, credentials, parameters, redirects, how the answer is read, which status is
 * an error, how large an answer may be. Only the hop itself is another.
 */
import type { AxiosAdapter, InternalAxiosRequestConfig } from 'axios';
import type { Clock } from '../../../model/clock.js';
import type { Upstream, UpstreamReply } from '../../../model/upstream.js';
import { exchange, type AskHop } from '../../http/exchange.js';
import { tooLarge, type Received } from '../../http/receive.js';
import { DEFAULT_MAX_RESPONSE_BYTES, exchangeSettings } from '../../http/undici-adapter.js';
import type { RequestOptions } from '../request-options.js';
import { answered, namesInLowerCase, textOf } from './answered.js';
import { attemptOf } from '../which-attempt.js';

export interface HttpStandInParts {
  readonly upstream: Upstream;
  readonly task: string;
  /** The header of the idempotency key. */
  readonly keyHeader: string | undefined;
  readonly clock: Clock;
}

type HttpLimits = Pick<RequestOptions<never, unknown>, 'maxResponseBytes' | 'credentialHeaders'>;

/** In the place of a body that is neither text nor bytes. */
const UNREAD = new Uint8Array();

export function httpStandIn(
  { maxResponseBytes = DEFAULT_MAX_RESPONSE_BYTES, credentialHeaders = [] }: HttpLimits,
  { upstream, task, keyHeader, clock }: HttpStandInParts,
): AxiosAdapter {
  const settings = exchangeSettings(maxResponseBytes, credentialHeaders, (delayMs, action) =>
    clock.schedule(delayMs, action),
  );
  return (config) => {
    const { data } = config as { readonly data?: unknown };
    const isPlain = data === undefined || data === null || typeof data === 'string' || data instanceof Uint8Array;
    const ask: AskHop = async ({ url, method, headers: given, body }, maxBytes, cancellation) => {
      const headers = namesInLowerCase(given);
      const reply = await answered(upstream, cancellation, {
        task,
        // Credentials travel in a header.
        url: url.origin + url.pathname + url.search,
        method,
        headers,
        body: body === UNREAD ? data : bodyOf(body, headers['content-type']),
        key: keyHeader === undefined ? undefined : headers[keyHeader.toLowerCase()],
        ...attemptOf(config),
      });
      return received(reply, maxBytes);
    };
    return exchange(isPlain ? config : withoutBody(config), ask, settings);
  };
}

/** Forms and streams are what the adapter of axios itself sends, and are shown as they are. */
function withoutBody(config: InternalAxiosRequestConfig): InternalAxiosRequestConfig {
  return { ...config, data: UNREAD };
}

function received(reply: UpstreamReply, maxBytes: number): Received {
  const body = Buffer.from(textOf(reply));
  if (body.length > maxBytes) throw tooLarge(body.length, maxBytes);
  // Nothing is packed here, whatever the answer was copied from.
  const { 'content-encoding': _, ...headers } = namesInLowerCase(reply.headers ?? {});
  return { status: reply.status, statusText: '', headers, body };
}

function bodyOf(body: string | Uint8Array | null, type = ''): unknown {
  if (typeof body !== 'string' || !type.includes('json')) return body ?? undefined;
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return body;
  }
}
