/** The connections of an adapter. This module loads undici, so it is imported with the first request, or when a task opens. */
import { Agent, Pool, ProxyAgent, buildConnector, type Dispatcher } from 'undici';
import { proxyAuthorization, unreachableProxy, type Connection } from '../request/connection.js';

/** The dispatchers of an adapter: one for direct connections, and one per proxy. */
export interface Dispatchers {
  /** @param isDirect whether the request must not use a proxy. */
  of(url: URL, isDirect: boolean): Dispatcher;
  /** Closes every connection; requests in flight fail. */
  destroy(): Promise<void>;
}

export function openDispatchers(
  connections: number,
  connectTimeoutMs: number,
  { tls = {}, socketPath, proxyFor }: Connection,
): Dispatchers {
  const shared = {
    connections,
    pipelining: 1,
    // The timeout of the attempt covers these. The timeouts of undici would only add timers, and do not stop a slow
    // answer.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 30_000,
    // Node reads 16 KiB, which cookies and policies of some upstreams exceed.
    maxHeaderSize: 64 * 1024,
  };
  const timeout = connectTimeoutMs;
  const direct = new Agent({
    ...shared,
    connect: keepingErrors(buildConnector({ timeout, ...tls, ...(socketPath === undefined ? {} : { socketPath }) })),
  });
  const proxies = new Map<string, ProxyAgent>();
  const over = (proxy: URL): ProxyAgent => {
    let agent = proxies.get(proxy.href);
    if (agent === undefined) {
      const token = proxyAuthorization(proxy);
      const uri = new URL(proxy);
      uri.username = uri.password = '';
      agent = new ProxyAgent({
        ...shared,
        uri: uri.href,
        // Proxies commonly refuse CONNECT to other ports than 443, so http: goes through as a request to the proxy.
        proxyTunnel: false,
        requestTls: { timeout, ...tls },
        proxyTls: { timeout, ...(tls.ca === undefined ? {} : { ca: tls.ca }) },
        // Connections to the proxy itself are made for tunnels here, and for requests to http: below.
        clientFactory: (origin, options) => new Pool(origin, namingProxy(uri, options)),
        factory: (origin, options) => {
          const isProxy = new URL(origin).origin === uri.origin;
          return new Pool(origin, Object.assign({}, isProxy ? namingProxy(uri, options) : options, shared));
        },
        ...(token === undefined ? {} : { token }),
      });
      proxies.set(proxy.href, agent);
    }
    return agent;
  };
  return {
    of: (url, isDirect) => {
      const proxy = isDirect ? undefined : proxyFor?.(url);
      return proxy === undefined ? direct : over(proxy);
    },
    destroy: async () => {
      await Promise.all([direct.destroy(), ...[...proxies.values()].map((proxy) => proxy.destroy())]);
    },
  };
}

/** The options of connections to a proxy, whose errors name it. */
function namingProxy(proxy: URL, options: { readonly connect?: unknown }): object {
  const connect = options.connect as buildConnector.connector;
  const naming: buildConnector.connector = (target, done) => {
    connect(target, (...result) => {
      const [error] = result;
      if (error === null) done(...result);
      else done(unreachableProxy(error, proxy), null);
    });
  };
  return { ...options, connect: naming };
}

/**
 * A server that requires a client certificate refuses the connection after the handshake of TLS 1.3. Without this,
 * undici would report the end of the connection instead of the TLS alert.
 */
function keepingErrors(connect: buildConnector.connector): buildConnector.connector {
  return (options, done) => {
    connect(options, (...result) => {
      const [, socket] = result;
      socket?.once('error', () => socket.destroy());
      done(...result);
    });
  };
}
