/**
 * An axios adapter that asks an upstream in this process instead of the network.
 *
 * Guarantees: everything before and after a hop happens as if the request were sent: interceptors, headers,
 * credentials, parameters, redirects, parsing, error statuses and size limits.
 */
import type { AxiosAdapter, InternalAxiosRequestConfig } from 'axios';
import type { Clock, Upstream, UpstreamReply } from '../../connect/index.js';
import { exchange, type AskHop } from './exchange.js';
import { tooLarge, type Received } from './receive.js';
import type { Hop } from './redirect.js';
import { DEFAULT_MAX_RESPONSE_BYTES } from '../request/http-defaults.js';
import { exchangeSettings } from './undici-adapter.js';
import type { RequestOptions } from '../request/request-options.js';
import { answerOf, namesInLowerCase, textOf } from '../request/upstream-answer.js';
import { attemptOf } from '../request/which-attempt.js';

export interface HttpStandInParts {
  readonly upstream: Upstream;
  readonly task: string;
  /** The header of the idempotency key. */
  readonly keyHeader: string | undefined;
  readonly clock: Clock;
}

type HttpLimits = Pick<RequestOptions<never, unknown>, 'maxResponseBytes' | 'credentialHeaders'>;

/** Stands for a body that is neither text nor bytes. */
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
      const reply = await answerOf(upstream, cancellation, {
        task,
        // Credentials are sent in a header.
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

/** Forms and streams, which only the adapter of axios can send, are passed to the upstream unchanged. */
function withoutBody(config: InternalAxiosRequestConfig): InternalAxiosRequestConfig {
  return { ...config, data: UNREAD };
}

function received(reply: UpstreamReply, maxBytes: number): Received {
  const body = Buffer.from(textOf(reply));
  if (body.length > maxBytes) throw tooLarge(body.length, maxBytes);
  // The answer is not compressed, even if its headers were copied from one that was.
  const { 'content-encoding': _, ...headers } = namesInLowerCase(reply.headers ?? {});
  return { status: reply.status, statusText: '', headers, body };
}

function bodyOf(body: Hop['body'], type = ''): unknown {
  if (typeof body !== 'string' || !type.includes('json')) return body ?? undefined;
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return body;
  }
}
