/**
 * Serves the metrics of one run to Prometheus, on this machine only.
 *
 * Guarantees: a scrape costs the run the rendering of one page; a port in use is a clear error before the run starts;
 * after `close` the port is free and every connection is closed; a request under another host name than that of this
 * machine is refused.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Observable } from 'rxjs';
import { MillraceError, codeOf, describeThrown } from '../model/errors.js';
import type { RunEvent } from '../model/events.js';
import { RunGauges } from './run-gauges.js';

const HOST = '127.0.0.1';
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** A server that listens on 127.0.0.1 only, with one page of metrics. */
export interface MetricsServer {
  /** The address that Prometheus scrapes. */
  readonly url: string;
  /** From now on, serves the figures of this run. */
  observe(events$: Observable<RunEvent>): void;
  /** Frees the port and closes every connection, then resolves. */
  close(): Promise<void>;
}

/**
 * Serves the figures of runs at `http://127.0.0.1:<port>/metrics` (Prometheus text format 0.0.4).
 *
 * @param port the TCP port; 0 chooses a free one. Rejects with MILLRACE_USAGE if the server cannot listen on the port.
 */
export async function serveMetrics(port: number): Promise<MetricsServer> {
  const gauges = new RunGauges();
  const server = createServer((request, response) => {
    if (!isLocal(request.headers.host)) {
      // A web page could otherwise read the metrics through a name that it resolves to this address (DNS rebinding).
      response.writeHead(403).end(`The metrics are at http://${HOST}, not at the host of this request\n`);
      return;
    }
    answer(gauges, request.url ?? '', request.method ?? '', response);
  });
  await listen(server, port);
  const { port: actualPort } = server.address() as AddressInfo;
  return {
    url: `http://${HOST}:${actualPort}/metrics`,
    observe: (events$) => {
      events$.subscribe((event) => {
        gauges.record(event);
      });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Clients of HTTP/1.0 send no host; web pages always do. */
function isLocal(host: string | undefined): boolean {
  return host === undefined || /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/i.test(host);
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: unknown): void => {
      const why = codeOf(error) === 'EADDRINUSE' ? 'it is in use' : describeThrown(error);
      reject(
        new MillraceError(
          'MILLRACE_USAGE',
          `Cannot serve metrics on port ${port} of ${HOST}: ${why}. Name another port, or 0 for a free one`,
          { cause: error },
        ),
      );
    };
    server.once('error', refuse);
    try {
      server.listen(port, HOST, resolve);
    } catch (error) {
      // Node throws for a number outside of the range of ports.
      refuse(error);
    }
  });
}

function answer(gauges: RunGauges, url: string, method: string, response: ServerResponse): void {
  if (url.split('?')[0] !== '/metrics') {
    response.writeHead(404).end('The metrics are at /metrics\n');
  } else if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
  } else {
    response.writeHead(200, { 'content-type': CONTENT_TYPE }).end(method === 'HEAD' ? undefined : gauges.text());
  }
}
