/**
 * Where the three upstreams are: as configured, or a mock server that the run starts on a free port when it first needs
 * one. Promise: nothing is started while a graph is only looked at, and what was started ends with the run.
 */
import type { BuildContext } from 'millrace';
import { startMockServer, type MockServer } from 'millrace/mock-server';

export interface Upstream {
  /** The configured URL, or how to get the mock server's. */
  readonly ats: string | (() => Promise<string>);
  readonly resp: string | (() => Promise<string>);
  readonly offer: string | (() => Promise<string>);
}

interface UpstreamUrls {
  readonly ats_url?: string | undefined;
  readonly resp_url?: string | undefined;
  readonly offer_url?: string | undefined;
}

export function upstreamOf(config: UpstreamUrls, context: BuildContext): Upstream {
  let server: Promise<MockServer> | undefined;
  const start = async (): Promise<MockServer> => {
    const started = await startMockServer({ port: 0 });
    const missing = (['ats_url', 'resp_url', 'offer_url'] as const).filter((key) => config[key] === undefined);
    context.notice(`The config has no ${missing.join(', ')}: started the mock server on ${started.url} for this run`);
    return started;
  };
  context.onClose(async () => {
    await (await server)?.stop();
  });
  const mocked =
    (route: string): (() => Promise<string>) =>
    async () =>
      `${(await (server ??= start())).url}${route}`;
  return {
    ats: config.ats_url ?? mocked('/ml/ats/predict'),
    resp: config.resp_url ?? mocked('/ml/resp/predict'),
    offer: config.offer_url ?? mocked('/offer/assign'),
  };
}
