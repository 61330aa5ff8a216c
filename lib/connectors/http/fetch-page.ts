/**
 * Requests the pages of an `httpSource`. Loaded when the source opens.
 *
 * Guarantees: `retryable` of an error shows whether another attempt may succeed. An attempt that is closed or takes too
 * long closes its connection. The body is returned as text and not interpreted.
 */
import { default as axios, type AxiosAdapter } from 'axios';
import { MillraceError, UpstreamError, type ConnectorContext } from '../../connect/index.js';
import { openConnection, proxiesIn } from '../request/connection.js';
import { DEFAULT_MAX_RESPONSE_BYTES, type ConnectionOptions } from '../request/http-defaults.js';
import { explainFailure } from './explain-failure.js';
import { httpStandIn } from './http-stand-in.js';
import { adapterOver } from './undici-adapter.js';

export interface PageBody {
  readonly text: string;
  /** The Link header. */
  readonly link: unknown;
}

export interface FetchPage {
  /** Throws an UpstreamError, or a MillraceError for a configuration that cannot be used. */
  fetch(url: string, signal: AbortSignal): Promise<PageBody>;
  /** Closes all connections. */
  close(): Promise<void>;
}

export interface FetchPageOptions extends ConnectionOptions {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly maxResponseBytes?: number;
}

/** The reason of an attempt that took too long. */
const LATE = Symbol('late');

/** Rejects with MILLRACE_CONFIG for certificates or a proxy that cannot be used. */
export async function openFetchPage(
  options: FetchPageOptions,
  { task, upstream, clock, secrets }: ConnectorContext,
): Promise<FetchPage> {
  const { url: first, headers = {}, timeoutMs = 30_000, maxResponseBytes = DEFAULT_MAX_RESPONSE_BYTES } = options;
  const limits = { maxResponseBytes, credentialHeaders: Object.keys(headers) };
  let adapter: AxiosAdapter;
  let close = (): Promise<void> => Promise.resolve();
  if (upstream === undefined) {
    for (const proxy of proxiesIn(options)) secrets.addText(proxy);
    const connection = await openConnection(options, `'${task}'`);
    const own = adapterOver({ connections: 1, ...limits }, () => Promise.resolve(connection));
    adapter = own;
    close = () => own.close();
  } else adapter = httpStandIn(limits, { upstream, task, keyHeader: undefined, clock });
  const client = axios.create({
    adapter,
    headers: { accept: 'application/json', ...headers },
    responseType: 'text',
    maxContentLength: maxResponseBytes,
    transformResponse: [(data: unknown) => data],
  });
  const { origin, pathname } = new URL(first);
  const label = origin + pathname;
  let hasAnswered = false;
  const fetch = async (url: string, signal: AbortSignal): Promise<PageBody> => {
    const attempt = new AbortController();
    const stop = (): void => {
      attempt.abort();
    };
    signal.addEventListener('abort', stop, { once: true });
    const cancel = clock.schedule(timeoutMs, () => {
      attempt.abort(LATE);
    });
    try {
      const { data, headers: received } = await client.get<unknown>(url, { signal: attempt.signal });
      hasAnswered = true;
      return { text: typeof data === 'string' ? data : '', link: received['link'] };
    } catch (error) {
      if (attempt.signal.reason === LATE) {
        throw new MillraceError('MILLRACE_TIMEOUT', `${label} did not answer '${task}' within ${timeoutMs} ms`, {
          cause: error,
          retryable: true,
        });
      }
      const context = { upstream: label, task, isIdempotent: true, now: clock.now(), hasAnswered };
      const explained = explainFailure(error, { ...context, isUnixSocket: options.socketPath !== undefined });
      if (explained instanceof UpstreamError && explained.status !== undefined) hasAnswered = true;
      throw explained;
    } finally {
      cancel();
      signal.removeEventListener('abort', stop);
    }
  };
  return { fetch, close };
}
