/**
 * Connections below a WebSocket that are not direct: over a unix socket, or through the tunnel of an HTTP proxy
 * (CONNECT, RFC 9110, 9.3.6).
 *
 * Guarantees: `cancel` closes a connection that is being made.
 */
import { request as plainRequest, type ClientRequest, type ClientRequestArgs } from 'node:http';
import { request as secureRequest } from 'node:https';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import { proxyAuthorization, unreachableProxy, type Connection } from '../request/connection.js';

export interface Connecting {
  /** For the option of Node's `request`. Undefined: the connection is direct. */
  readonly createConnection: ClientRequestArgs['createConnection'];
  cancel(): void;
}

const DIRECT: Connecting = { createConnection: undefined, cancel: () => undefined };

export function connecting(address: string, connection: Connection, timeoutMs: number): Connecting {
  const { socketPath, proxyFor } = connection;
  const url = new URL(address);
  const proxy = proxyFor?.(url);
  if (socketPath !== undefined) {
    return {
      createConnection: () => secured(connectPlain(socketPath), url, connection),
      cancel: () => undefined,
    };
  }
  if (proxy === undefined) return DIRECT;
  let tunnel: ClientRequest | undefined;
  return {
    createConnection: (_options, done) => {
      tunnel = openTunnel(url, proxy, connection, timeoutMs, (error, socket) => {
        // Node ignores the socket if there is an error, which its type does not express.
        done(error, socket === undefined ? (undefined as never) : secured(socket, url, connection));
      });
      return undefined;
    },
    cancel: () => {
      tunnel?.destroy();
    },
  };
}

function openTunnel(
  url: URL,
  proxy: URL,
  { tls }: Connection,
  timeoutMs: number,
  done: (error: Error | null, socket?: Socket) => void,
): ClientRequest {
  const target = `${url.hostname}:${url.port === '' ? (url.protocol === 'wss:' ? 443 : 80) : url.port}`;
  const authorization = proxyAuthorization(proxy);
  const isSecure = proxy.protocol === 'https:';
  const request = (isSecure ? secureRequest : plainRequest)({
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port === '' ? (isSecure ? 443 : 80) : proxy.port,
    method: 'CONNECT',
    path: target,
    headers: { host: target, ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }) },
    agent: false,
    timeout: timeoutMs,
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
  });
  let isOver = false;
  const finish = (error: Error | null, socket?: Socket): void => {
    if (isOver) return;
    isOver = true;
    done(error, socket);
  };
  const refused = (status: number): Error =>
    Object.assign(new Error(`the proxy answered with status ${status}`), { code: 'ERR_PROXY_REFUSED' });
  request.on('connect', ({ statusCode = 0 }, socket: Socket) => {
    if (statusCode === 200) finish(null, socket);
    else {
      socket.destroy();
      finish(refused(statusCode));
    }
  });
  request.on('response', (response) => {
    response.destroy();
    finish(refused(response.statusCode ?? 0));
  });
  request.on('timeout', () => request.destroy(new Error(`the proxy did not answer within ${timeoutMs} ms`)));
  request.on('error', (error) => {
    finish(unreachableProxy(error, proxy));
  });
  request.end();
  return request;
}

/** The connection itself, or TLS over it. */
function secured(socket: Socket, { protocol, hostname }: URL, { tls }: Connection): Socket {
  if (protocol !== 'wss:') return socket;
  const host = hostname.replace(/^\[|\]$/g, '');
  return connectSecure({ ...tls, socket, host, ...(isIP(host) === 0 ? { servername: host } : {}) });
}
