/** A request task over records that are numbers, with an upstream and a clock of the test kit. */
import { fakeUpstream, virtualClock, type FakeReply, type FakeUpstream, type VirtualClock } from 'millrace/testing';
import { defineWorkflow, sourceTask } from '#lib/index.js';
import { requestTask } from '#lib/connectors/http/index.js';
import type { RequestOptions } from '#lib/connectors/http/index.js';
import type { Run, RunEvent, RunSummary } from '#lib/index.js';

/** What the upstream does with a call. */
export type Answer = (record: number, call: number) => FakeReply;

export interface Started {
  readonly clock: VirtualClock;
  readonly run: Run;
  readonly events: RunEvent[];
  readonly outputs: unknown[];
  /** When each record was asked about, in milliseconds from the start. */
  readonly calls: { record: number; atMs: number; headers: Readonly<Record<string, string>> }[];
  readonly upstream: FakeUpstream;
  readonly finished: Promise<RunSummary>;
  readonly cancel: () => void;
}

export function start(
  records: readonly number[],
  answer: Answer,
  options: Partial<RequestOptions<number, unknown>> = {},
): Started {
  const clock = virtualClock(1_700_000_000_000);
  const calls: Started['calls'] = [];
  const upstream = fakeUpstream(clock, ({ body, atMs, headers, number }) => {
    const record = body as number;
    calls.push({ record, atMs, headers });
    return { body: { of: record }, ...answer(record, number) };
  });
  const run = defineWorkflow({
    name: 'Virtual',
    build: (flow) =>
      flow
        .task('Read', sourceTask(records))
        .task(
          'Ask',
          ['Read'],
          requestTask<number, unknown>({ url: 'http://ats.example/predict?key=secret', ...options }),
        ),
  }).run(undefined, { clock, upstream, runId: 'r', seed: 1 });
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
    upstream,
    finished: run.finished,
    cancel: () => {
      run.cancel();
    },
  };
}

/** The numbers from 0. */
export const times = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
