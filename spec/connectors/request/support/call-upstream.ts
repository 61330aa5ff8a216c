/** Runs a request task over a few records and keeps what came of it. The URL is that of any server. */
import type { Clock } from '#lib/model/clock.js';
import { defineWorkflow, RunFailedError, sourceTask, type DeadLetter, type RunEvent } from '#lib/index.js';
import { requestTask, type RequestOptions } from '#lib/connectors/http/index.js';

export interface Came {
  readonly outputs: readonly unknown[];
  readonly letters: readonly DeadLetter[];
  readonly notices: readonly string[];
  /** Undefined if the run completed. */
  readonly failure: { readonly code: string; readonly message: string } | undefined;
  /** The counts of the calls of the task. */
  readonly counts: Readonly<Record<string, number>>;
}

export async function callUpstream(
  options: Partial<RequestOptions<unknown, unknown>> & Pick<RequestOptions<unknown, unknown>, 'url'>,
  records: readonly unknown[] = [1],
  clock?: Clock,
): Promise<Came> {
  const task = requestTask<unknown, unknown>({ retry: { attempts: 3, baseMs: 1 }, ordered: true, ...options });
  const run = defineWorkflow({
    name: 'Call',
    build: (flow) => flow.task('Read', sourceTask(records)).task('Call', ['Read'], task),
  }).run(undefined, clock && { clock });
  const outputs: unknown[] = [];
  const events: RunEvent[] = [];
  run.output$('Call').subscribe({ next: (output) => outputs.push(output), error: () => undefined });
  run.events$.subscribe((event) => events.push(event));
  let failure: Came['failure'];
  await run.finished.catch((error: unknown) => {
    if (!(error instanceof RunFailedError)) throw error;
    const { cause } = error;
    failure = { code: (cause as { code?: string } | undefined)?.code ?? error.code, message: error.message };
  });
  return {
    outputs,
    letters: events.flatMap((event) => (event.type === 'dead-letter' ? [event.letter] : [])),
    notices: events.flatMap((event) => (event.type === 'notice' ? [event.message] : [])),
    failure,
    counts: (events.find((event) => event.type === 'calls')?.counts ?? {}) as unknown as Record<string, number>,
  };
}
