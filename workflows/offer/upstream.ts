/**
 * The addresses of the three upstreams: the configured URLs, or a mock server that the run starts on a free port at the
 * first request.
 *
 * Guarantees: planning or drawing the graph starts no server; a started server ends with the run.
 */
import type { BuildContext } from 'millrace';
import { startMockServerInThread, type ThreadedMockServer } from 'millrace/mock-server/in-thread';

/** The address of one upstream, and over WebSocket its JSON-RPC method. */
export interface Endpoint {
  /** The configured URL, or a function that resolves with the URL of the mock server. */
  readonly url: string | (() => Promise<string>);
  readonly method?: string;
  /** False for the mock server: it is on this machine, where a proxy that the environment names cannot reach it. */
  readonly proxy?: false;
}

export interface Upstream {
  readonly ats: Endpoint;
  readonly resp: Endpoint;
  readonly offer: Endpoint;
}

interface UpstreamUrls {
  readonly transport: 'http' | 'ws';
  readonly ats_url?: string | undefined;
  readonly resp_url?: string | undefined;
  readonly offer_url?: string | undefined;
}

export function upstreamOf(config: UpstreamUrls, context: BuildContext): Upstream {
  let server: Promise<ThreadedMockServer> | undefined;
  const start = async (): Promise<ThreadedMockServer> => {
    // The server runs in a thread: on the event loop of the run, requests would starve it.
    const started = await startMockServerInThread({ port: 0 });
    const missing = (['ats_url', 'resp_url', 'offer_url'] as const).filter((key) => config[key] === undefined);
    context.notice(`The config has no ${missing.join(', ')}: started the mock server on ${started.url} for this run`);
    return started;
  };
  context.onClose(async () => {
    await (await server)?.stop();
  });
  const endpoint = (given: string | undefined, path: string, method: string): Endpoint => {
    const isSocket = given === undefined ? config.transport === 'ws' : given.startsWith('ws');
    const mocked = async (): Promise<string> => {
      const started = await (server ??= start());
      return isSocket ? started.wsUrl : `${started.url}${path}`;
    };
    const place = given === undefined ? { url: mocked, proxy: false as const } : { url: given };
    return { ...place, ...(isSocket ? { method } : {}) };
  };
  return {
    ats: endpoint(config.ats_url, '/ml/ats/predict', 'ats.predict'),
    resp: endpoint(config.resp_url, '/ml/resp/predict', 'resp.predict'),
    offer: endpoint(config.offer_url, '/offer/assign', 'offer.assign'),
  };
}
