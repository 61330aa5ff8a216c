/**
 * Runs a request task twice against one server: by prepared requests, and with axios for each request.
 *
 * Guarantees: both runs have one name, so keys and traces are the same, and the server is the same. A transformer of
 * the user that changes nothing is what makes axios see each request. What depends on the moment of a retry is left out
 * or sorted.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import axios, { type AxiosResponseTransformer } from 'axios';
import { defineWorkflow, RunFailedError, sourceTask, type RunEvent } from '#lib/index.js';
import { requestTask, type RequestOptions } from '#lib/connectors/http/index.js';

/** What came of a run, without times. */
export interface Came {
  readonly outputs: readonly unknown[];
  readonly letters: readonly object[];
  readonly failure: string | undefined;
  readonly counts: unknown;
  /** The requests that the server has seen. */
  readonly seen: readonly Seen[];
}

/** A request that has arrived. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

export interface BothWays {
  readonly prepared: Came;
  readonly axios: Came;
  /** How many requests axios saw in either run. */
  readonly axiosSaw: { readonly prepared: number; readonly axios: number };
}

/** @param visit counts the requests with this path, from 1. */
export type Answer = (request: IncomingMessage, response: ServerResponse, visit: number) => void;

export interface OneServer {
  readonly url: string;
  bothWays(
    options: Partial<RequestOptions<unknown, unknown>> & Pick<RequestOptions<unknown, unknown>, 'url'>,
    records: readonly unknown[],
  ): Promise<BothWays>;
  stop(): Promise<void>;
}

/** The trace of a request, without the number of its span: a retry may come before or after the next record. */
function traceOf({ traceparent }: IncomingHttpHeaders): string {
  return String(traceparent).slice(0, 44);
}

/** By path and record. The requests of one record keep their order. */
function orderOf({ path, headers }: Seen): string {
  return `${path} ${String(headers['idempotency-key'] ?? headers['x-key'])}`;
}

const unchanged: AxiosResponseTransformer = (data: unknown) => data;

export async function oneServer(answer: Answer): Promise<OneServer> {
  const visits = new Map<string, number>();
  let seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const visit = (visits.get(path) ?? 0) + 1;
      visits.set(path, visit);
      seen.push({ method, path, headers: { ...headers, traceparent: traceOf(headers) }, body });
      answer(request, response, visit);
    });
    // A request that its client closes ends here.
    request.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;

  const run: (...given: Parameters<OneServer['bothWays']>) => Promise<Came> = async (options, records) => {
    visits.clear();
    seen = [];
    const task = requestTask<unknown, unknown>({
      retry: { attempts: 2, baseMs: 1, maxDelayMs: 1 },
      breaker: false,
      concurrency: 1,
      ordered: true,
      ...options,
    });
    const running = defineWorkflow({
      name: 'Call',
      build: (flow) => flow.task('Read', sourceTask(records)).task('Call', ['Read'], task),
    }).run(undefined, { runId: 'run-1', seed: 7 });
    const outputs: unknown[] = [];
    const events: RunEvent[] = [];
    running.output$('Call').subscribe({ next: (output) => outputs.push(output), error: () => undefined });
    running.events$.subscribe((event) => events.push(event));
    let failure: string | undefined;
    await running.finished.catch((error: unknown) => {
      if (!(error instanceof RunFailedError)) throw error;
      failure = error.message;
    });
    const letters = events.flatMap((event) => (event.type === 'dead-letter' ? [event.letter] : []));
    return {
      outputs,
      letters: letters
        .sort((a, b) => a.lineage.number - b.lineage.number)
        .map(({ firstAt: _, lastAt: __, ...letter }) => letter),
      failure,
      counts: events.find((event) => event.type === 'calls')?.counts,
      seen: seen.sort((a, b) => orderOf(a).localeCompare(orderOf(b))),
    };
  };

  /** Counts what passes axios. */
  const counted = async (work: () => Promise<Came>): Promise<[came: Came, count: number]> => {
    const { prototype } = axios.Axios;
    const request = Object.getOwnPropertyDescriptor(prototype, 'request') as PropertyDescriptor;
    let count = 0;
    const original = request.value as (...given: unknown[]) => unknown;
    prototype.request = function (this: unknown, ...given: unknown[]) {
      count++;
      return original.apply(this, given);
    } as typeof prototype.request;
    try {
      return [await work(), count];
    } finally {
      Object.defineProperty(prototype, 'request', request);
    }
  };

  return {
    url,
    bothWays: async (options, records) => {
      const [prepared, few] = await counted(() => run(options, records));
      const { defaults } = axios;
      const { transformResponse } = defaults;
      defaults.transformResponse = [transformResponse ?? []].flat().concat(unchanged);
      try {
        const [through, all] = await counted(() => run(options, records));
        return { prepared, axios: through, axiosSaw: { prepared: few, axios: all } };
      } finally {
        if (transformResponse !== undefined) defaults.transformResponse = transformResponse;
      }
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
