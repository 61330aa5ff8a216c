/**
 * An axios adapter on undici: the axios that users know (instances, headers, interceptors), with connections that are
 * kept alive and several times the requests a second of axios's own adapter.
 *
 * Promises: an answer never takes more memory than `maxResponseBytes`, as sent or unpacked; a redirect to another origin
 * carries no credentials; whoever aborts a request gets its connection closed, however slowly it drips; making an
 * adapter loads and opens nothing.
 */
import type { AxiosAdapter } from 'axios';
import type { Agent } from 'undici';
import { checkOptions, count, type OptionRule, type OptionRules } from '../../options/options.js';
import type { AskHop } from './exchange.js';
import type { ExchangeSettings } from './exchange-settings.js';

/** Options of `undiciAdapter`. An unknown one throws MILLRACE_INVALID_OPTION. */
export interface UndiciAdapterOptions {
  /** The most connections an origin. Default 64. */
  readonly connections?: number;
  /** The most bytes of an answer, both as sent and unpacked. A config's `maxContentLength` goes first. Default 10 MiB. */
  readonly maxResponseBytes?: number;
  /** Milliseconds to connect in. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Headers that stay with the origin they were meant for, beside authorization, cookie, proxy-authorization, x-api-key. */
  readonly credentialHeaders?: readonly string[];
}

/** Give it to `axios.create({ adapter })`; whoever makes one closes it. */
export interface UndiciAdapter extends AxiosAdapter {
  /** Closes every connection; requests under way fail. */
  close(): Promise<void>;
}

/** Headers that never cross origins. */
export const CREDENTIALS = ['authorization', 'cookie', 'proxy-authorization', 'x-api-key'];
export const DEFAULT_MAX_RESPONSE_BYTES = 10 * 1024 * 1024;

/** An array of them. */
export const headerNames: OptionRule = {
  expected: 'names of headers',
  accepts: (value) =>
    Array.isArray(value) && value.every((name) => typeof name === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(name)),
};

const RULES: OptionRules<UndiciAdapterOptions> = {
  connections: count(),
  maxResponseBytes: count(),
  connectTimeoutMs: count(),
  credentialHeaders: headerNames,
};

/**
 * An axios adapter on undici, with connections that are kept alive. Nothing is loaded or opened
 * before the first request. Throws MILLRACE_INVALID_OPTION for options that do not fit.
 *
 * @example const client = axios.create({ baseURL, adapter: undiciAdapter({ connections: 32 }) })
 */
export function undiciAdapter(options: UndiciAdapterOptions = {}): UndiciAdapter {
  checkOptions('an undiciAdapter', options, RULES);
  const { connections = 64, maxResponseBytes = DEFAULT_MAX_RESPONSE_BYTES, connectTimeoutMs = 10_000 } = options;
  const { credentialHeaders = [] } = options;
  const settings = exchangeSettings(maxResponseBytes, credentialHeaders, inRealTime);
  // Loaded with the first request: a program that makes none does not pay for undici.
  let loading: Promise<{ agent: Agent; send: AxiosAdapter }> | undefined;
  let loaded: Awaited<typeof loading>;
  const load = async (): Promise<NonNullable<typeof loaded>> => {
    const [{ exchange }, { receive }, { makeAgent }] = await Promise.all([
      import('./exchange.js'),
      import('./receive.js'),
      import('./agent.js'),
    ]);
    const agent = makeAgent(connections, connectTimeoutMs);
    const ask: AskHop = (hop, maxBytes, cancellation) => receive(agent, hop, maxBytes, cancellation);
    loaded = { agent, send: (config) => exchange(config, ask, settings) };
    return loaded;
  };
  const adapter: AxiosAdapter = (config) => {
    if (loaded !== undefined) return loaded.send(config);
    loading ??= load();
    return loading.then(({ send }) => send(config));
  };
  return Object.assign(adapter, {
    close: async () => {
      await (await loading)?.agent.destroy();
    },
  });
}

/** Call it only with names of headers. */
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
