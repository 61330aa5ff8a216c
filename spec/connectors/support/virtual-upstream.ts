/** A request task over records that are numbers, with an upstream in process and a clock that is stepped. */
import axios, { AxiosError, type AxiosInstance, type InternalAxiosRequestConfig } from 'axios';
import { defineWorkflow, requestTask, sourceTask } from '#lib/index.js';
import type { RequestOptions, Run, RunEvent, RunSummary } from '#lib/index.js';
import { StepClock } from '../../stream/support/step-clock.js';

/** What the upstream does with a call: a status at once, or nothing until the delay is over. */
export type Answer = (
  record: number,
  call: number,
) => { status?: number; afterMs?: number; headers?: Record<string, string> };

export interface Started {
  readonly clock: StepClock;
  readonly run: Run;
  readonly events: RunEvent[];
  readonly outputs: unknown[];
  /** When each record was asked about, in milliseconds from the start. */
  readonly calls: { record: number; atMs: number; headers: Record<string, unknown> }[];
  readonly inFlight: () => number;
  readonly peak: () => number;
  readonly finished: Promise<RunSummary>;
  readonly cancel: () => void;
}

export function start(
  records: readonly number[],
  answer: Answer,
  options: Partial<RequestOptions<number, unknown>> = {},
): Started {
  const clock = new StepClock();
  const calls: Started['calls'] = [];
  let inFlight = 0;
  let peak = 0;
  const client: AxiosInstance = axios.create({
    adapter: (config: InternalAxiosRequestConfig) =>
      new Promise((resolve, reject) => {
        const record = Number(JSON.parse(config.data as string));
        calls.push({ record, atMs: clock.monotonicMs(), headers: config.headers.toJSON() });
        const { status = 200, afterMs = 0, headers = {} } = answer(record, calls.length);
        peak = Math.max(peak, ++inFlight);
        const cancel = clock.schedule(afterMs, () => {
          inFlight--;
          const response = { status, headers, data: `{"of":${record}}`, statusText: '', config };
          if (status < 300) resolve(response);
          else reject(new AxiosError('no', 'ERR_BAD', config, undefined, response));
        });
        config.signal?.addEventListener?.('abort', () => {
          inFlight--;
          cancel();
          reject(new AxiosError('aborted', 'ERR_CANCELED', config));
        });
      }),
  });
  const run = defineWorkflow({
    name: 'Virtual',
    build: (flow) =>
      flow
        .task('Read', sourceTask(records))
        .task(
          'Ask',
          ['Read'],
          requestTask<number, unknown>({ url: 'http://ats.example/predict?key=secret', axios: client, ...options }),
        ),
  }).run(undefined, { clock, runId: 'r', seed: 1 });
  const events: RunEvent[] = [];
  const outputs: unknown[] = [];
  run.events$.subscribe((event) => events.push(event));
  run.output$('Ask').subscribe({ next: (output) => outputs.push(output), error: () => undefined });
  return {
    clock,
    run,
    events,
    outputs,
    calls,
    inFlight: () => inFlight,
    peak: () => peak,
    finished: run.finished,
    cancel: () => {
      run.cancel();
    },
  };
}

/** The numbers from 0. */
export const times = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
