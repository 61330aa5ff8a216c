/**
 * Runs a request task against a mock server and keeps everything that came of it. Promise: server and run are over when
 * it resolves; every record is accounted for, or it throws.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { defineWorkflow, RunFailedError, sourceTask } from '#lib/index.js';
import { requestTask } from '#lib/connectors/http/index.js';
import type { CallCounts, DeadLetter, RunEvent, RunSummary } from '#lib/index.js';
import type { RequestOptions } from '#lib/connectors/http/index.js';
import { atsOf, startMockServer } from '#mock-server/index.js';
import type { Features, MockServer, MockServerOptions, RequestSeen, ServerStats } from '#mock-server/index.js';

export interface Member extends Features {
  readonly id: number;
}

export interface Prediction {
  readonly prediction: number;
}

export type Transport = 'http' | 'ws';

export interface AskOptions {
  readonly records?: number;
  readonly transport?: Transport;
  readonly server?: Omit<MockServerOptions, 'onRequest'>;
  readonly request?: Partial<RequestOptions<Member, Prediction>>;
  readonly window?: number;
  /** User and password, encoded, that the URL names. */
  readonly credentials?: string;
  /** Sends every request on to another origin, and reports which headers arrived there. */
  readonly elsewhere?: (headers: IncomingHttpHeaders) => void;
  /** Does something to the server while the run goes on. */
  readonly meanwhile?: (server: MockServer, events: readonly RunEvent[]) => Promise<void>;
}

export interface Asked {
  readonly summary: RunSummary;
  /** Undefined where the run completed. */
  readonly failure: RunFailedError | undefined;
  readonly outputs: readonly Prediction[];
  readonly letters: readonly DeadLetter[];
  readonly events: readonly RunEvent[];
  readonly seen: readonly RequestSeen[];
  readonly stats: ServerStats;
  /** Of the task's calls. */
  readonly counts: CallCounts;
}

export function member(id: number): Member {
  return {
    id,
    AVG_POINTS_BOUGHT: 50 + id,
    AVG_REVENUE_USD: 20,
    LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: 100 + id,
    LAST_3_TRANSACTIONS_AVG_REVENUE_USD: 40,
    PCT_BUY_TRANSACTIONS: 0.5,
    PCT_GIFT_TRANSACTIONS: 0.25,
    PCT_REDEEM_TRANSACTIONS: 0.25,
    DAYS_SINCE_LAST_TRANSACTION: 1189,
  };
}

/** Fast enough for tests, and otherwise the default. */
export const QUICK_RETRY = { baseMs: 2, maxDelayMs: 20 } as const;

export async function ask(options: AskOptions = {}): Promise<Asked> {
  const { records = 50, transport = 'http', window } = options;
  const seen: RequestSeen[] = [];
  const server = await startMockServer({
    ...options.server,
    onRequest: (request) => {
      seen.push(request);
    },
  });
  const { credentials, elsewhere } = options;
  const other =
    elsewhere &&
    (await startMockServer({
      onRequest: ({ headers }) => {
        elsewhere(headers);
      },
    }));
  try {
    const path = options.request?.batch === undefined ? '/ml/ats/predict' : '/ml/ats/predict/batch';
    const target = transport === 'ws' ? { url: server.wsUrl, method: 'ats.predict' } : { url: server.url + path };
    if (other !== undefined) server.setFaults({ redirect: { location: other.url + path, status: 307 } });
    if (credentials !== undefined) target.url = target.url.replace('://', `://${credentials}@`);
    const task = requestTask<Member, Prediction>({ ...target, retry: QUICK_RETRY, ...options.request });
    const run = defineWorkflow({
      name: 'Ask',
      build: (flow) =>
        flow
          .task('Read', sourceTask(Array.from({ length: records }, (_, id) => member(id))))
          .task('Ask', ['Read'], task),
    }).run(undefined, { runId: 'run-1', seed: 7, ...(window === undefined ? {} : { window }) });
    const outputs: Prediction[] = [];
    const events: RunEvent[] = [];
    run.output$('Ask').subscribe({ next: (output) => outputs.push(output), error: () => undefined });
    run.events$.subscribe((event) => events.push(event));
    await options.meanwhile?.(server, events);
    let failure: RunFailedError | undefined;
    const summary = await run.finished.catch((error: unknown) => {
      if (!(error instanceof RunFailedError)) throw error;
      failure = error;
      return error.summary;
    });
    const letters = events.flatMap((event) => (event.type === 'dead-letter' ? [event.letter] : []));
    const counts = events.find((event) => event.type === 'calls')?.counts ?? {};
    if (failure === undefined && outputs.length + letters.length !== records) {
      throw new Error(`${records} records went in, ${outputs.length} came out and ${letters.length} were given up`);
    }
    return { summary, failure, outputs, letters, events, seen, stats: server.stats, counts };
  } finally {
    await other?.stop();
    await server.stop();
  }
}

/** The predictions that the records from 0 to `records` should have got, in ascending order. */
export function expected(records: number, without: readonly number[] = []): number[] {
  return Array.from({ length: records }, (_, id) => id)
    .filter((id) => !without.includes(id))
    .map((id) => atsOf(member(id)))
    .sort((a, b) => a - b);
}

export function predictions({ outputs }: Asked): number[] {
  return outputs.map(({ prediction }) => prediction).sort((a, b) => a - b);
}

/** The members whose records were given up. */
export function lost({ letters }: Asked): number[] {
  return letters.map(({ record }) => (record as Member).id);
}
