/**
 * An axios adapter on undici. Instances, headers and interceptors of axios work as usual; connections are kept alive,
 * and the throughput is several times that of the adapter of axios.
 *
 * Guarantees: an answer never takes more memory than `maxResponseBytes`, compressed or decompressed. A redirect to
 * another origin carries no credentials. Aborting a request closes its connection, however slow the answer is. Creating
 * an adapter loads and opens nothing.
 */
import type { AxiosAdapter } from 'axios';
import { checkOptions, count, type OptionRules } from '../../connect/index.js';
import type { Connection } from '../request/connection.js';
import {
  CONNECTION_RULES,
  CREDENTIALS,
  DEFAULT_MAX_RESPONSE_BYTES,
  checkConnection,
  headerNames,
  type ConnectionOptions,
} from '../request/http-defaults.js';
import type { Dispatchers } from './agent.js';
import type { Direct } from './direct.js';
import type { AskHop } from './exchange.js';
import type { ExchangeSettings } from './exchange-settings.js';
import type { PreparedRequest, Template } from './prepared-request.js';

/** Options of `undiciAdapter`. An unknown one throws MILLRACE_INVALID_OPTION. */
export interface UndiciAdapterOptions extends ConnectionOptions {
  /** The most connections per origin. Default 64. */
  readonly connections?: number;
  /**
   * The most bytes of an answer, compressed and decompressed. A config's `maxContentLength` overrides it. Default 10
   * MiB.
   */
  readonly maxResponseBytes?: number;
  /** The limit in milliseconds for making a connection. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Headers that are not sent to other origins, besides authorization, cookie, proxy-authorization and x-api-key. */
  readonly credentialHeaders?: readonly string[];
}

/** Pass it to `axios.create({ adapter })`, and close it when it is no longer needed. */
export interface UndiciAdapter extends AxiosAdapter {
  /** Closes every connection; requests in flight fail. */
  close(): Promise<void>;
}

const RULES: OptionRules<UndiciAdapterOptions> = {
  connections: count(),
  maxResponseBytes: count(),
  connectTimeoutMs: count(),
  credentialHeaders: headerNames,
  ...CONNECTION_RULES,
};

/**
 * An axios adapter on undici that keeps connections alive. Nothing is loaded or opened before the first request. Throws
 * MILLRACE_INVALID_OPTION for options that do not fit. The first request fails with MILLRACE_CONFIG if a certificate, a
 * key or the URL of a proxy cannot be used. A config with `proxy: false` connects directly.
 *
 * @example const client = axios.create({ baseURL, adapter: undiciAdapter({ connections: 32 }) })
 */
export function undiciAdapter(options: UndiciAdapterOptions = {}): UndiciAdapter {
  checkOptions('an undiciAdapter', options, RULES);
  checkConnection('an undiciAdapter', options);
  const adapter = adapterOver(options, async () => {
    const { openConnection } = await import('../request/connection.js');
    return openConnection(options, 'an undiciAdapter');
  });
  const send: AxiosAdapter = (config) => adapter(config);
  return Object.assign(send, { close: () => adapter.close() });
}

/** The adapter of a request task. */
export interface TaskAdapter extends UndiciAdapter {
  /** Loads what the first request would load. Rejects if it cannot be loaded. */
  load(): Promise<unknown>;
  /** Prepares similar requests, which then bypass axios; undefined if axios must process each of them. */
  prepare(direct: Direct, template: Template): PreparedRequest | undefined;
}

/** @param connect called once, with the first request or by `load`. */
export function adapterOver(options: UndiciAdapterOptions, connect: () => Promise<Connection>): TaskAdapter {
  const { connections = 64, maxResponseBytes = DEFAULT_MAX_RESPONSE_BYTES, connectTimeoutMs = 10_000 } = options;
  const { credentialHeaders = [] } = options;
  const settings = exchangeSettings(maxResponseBytes, credentialHeaders, inRealTime);
  // Loaded with the first request or by `load`: a program without requests does not load undici.
  let loading: Promise<Loaded> | undefined;
  let loaded: Loaded | undefined;
  const loadOnce = async (): Promise<Loaded> => {
    const connection = await connect();
    const [{ exchange }, { receive }, { openDispatchers }] = await Promise.all([
      import('./exchange.js'),
      import('./receive.js'),
      import('./agent.js'),
    ]);
    // All modules that it imports are loaded by now.
    const { prepareRequest } = await import('./prepared-request.js');
    const dispatchers = openDispatchers(connections, connectTimeoutMs, connection);
    const ask: AskHop = (hop, maxBytes, cancellation, isDirect) =>
      receive(dispatchers.of(hop.url, isDirect), hop, maxBytes, cancellation);
    loaded = {
      dispatchers,
      send: (config) => exchange(config, ask, settings),
      prepare: (direct, template) => prepareRequest(direct, template, dispatchers, settings),
    };
    return loaded;
  };
  const load = (): Promise<Loaded> => (loading ??= loadOnce());
  const adapter: AxiosAdapter = (config) =>
    loaded === undefined ? load().then(({ send }) => send(config)) : loaded.send(config);
  return Object.assign(adapter, {
    load,
    prepare: (direct: Direct, template: Template) => loaded?.prepare(direct, template),
    close: async () => {
      const opened = await loading?.catch(() => undefined);
      await opened?.dispatchers.destroy();
    },
  });
}

/** The modules that the first request loads. */
interface Loaded extends Pick<TaskAdapter, 'prepare'> {
  readonly dispatchers: Dispatchers;
  readonly send: AxiosAdapter;
}

/** Call it only with valid header names. */
export function exchangeSettings(
  maxResponseBytes: number,
  credentialHeaders: readonly string[],
  schedule: ExchangeSettings['schedule'],
): ExchangeSettings {
  const names = credentialHeaders.map((name) => name.toLowerCase());
  return { maxResponseBytes, credentialHeaders: new Set([...CREDENTIALS, ...names]), schedule };
}

function inRealTime(delayMs: number, action: () => void): () => void {
  const timer = setTimeout(action, delayMs);
  return () => {
    clearTimeout(timer);
  };
}
