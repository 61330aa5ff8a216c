/** Runs over numbers in virtual time, whose calls fail for some records or while an upstream is busy. */
import { fakeUpstream, virtualClock, type FakeCall, type FakeReply, type VirtualClock } from 'millrace/testing';
import { requestTask, type RequestOptions } from '#lib/connectors/http/index.js';
import {
  asyncTask,
  callPolicies,
  circuitBreaker,
  defineWorkflow,
  retryPolicy,
  sourceTask,
  UpstreamError,
} from '#lib/index.js';
import type { DeadLetter, Task } from '#lib/index.js';

export interface Ended {
  readonly outcome: string;
  readonly out: number;
  readonly letters: readonly DeadLetter[];
  readonly calls: number;
  readonly seconds: number;
  /** The most records in flight that the events of the run show. */
  readonly mostInFlight: number;
  readonly failure: (Error & { readonly code?: string }) | undefined;
}

export type Answer = (record: number, call: FakeCall, nowMs: number) => FakeReply;

/** The age of the process when a run begins, in milliseconds. */
const AGE_MS = 7_654_321;

/** A run over the numbers below `size`, in virtual time. */
export async function ask(
  size: number,
  answer: Answer | undefined,
  options: Partial<RequestOptions<number, unknown>> | ((clock: VirtualClock) => Task<number, unknown>) = {},
  window?: number,
): Promise<Ended> {
  const clock = virtualClock();
  // Nothing may depend on the age of the process.
  await clock.advance(AGE_MS);
  const elapsedMs = (): number => clock.monotonicMs() - AGE_MS;
  const upstream =
    answer === undefined
      ? undefined
      : fakeUpstream(clock, (call) => ({ body: 1, ...answer(call.body as number, call, elapsedMs()) }));
  const numbers = Array.from({ length: size }, (_, index) => index);
  const task =
    typeof options === 'function' ? options(clock) : requestTask({ url: 'http://ats.example/ask', ...options });
  const run = defineWorkflow({
    name: 'Ask',
    build: (flow) => flow.task('Read', sourceTask(numbers)).task('Ask', ['Read'], task),
  }).run(undefined, { clock, seed: 1, ...(upstream && { upstream }), ...(window && { window }) });
  const letters: DeadLetter[] = [];
  let out = 0;
  let mostInFlight = 0;
  run.events$.subscribe((event) => {
    if (event.type === 'dead-letter') letters.push(event.letter);
    if (event.type === 'progress') mostInFlight = Math.max(mostInFlight, event.roots['Read']?.inFlight ?? 0);
  });
  run.output$('Ask').subscribe({ next: () => out++, error: () => undefined });
  const ended = await clock.runUntil(
    run.finished.then(
      ({ outcome }) => ({ outcome: outcome, failure: undefined }),
      (failure: unknown) => ({ outcome: 'failed', failure: failure as Error }),
    ),
  );
  const seconds = elapsedMs() / 1000;
  if (clock.pending > 0) throw new Error(`${clock.pending} timers are left after the run`);
  return { ...ended, out, letters, mostInFlight, calls: upstream?.calls.length ?? 0, seconds };
}

/** The records that always fail, in an order. */
export function poisonOf(size: number, bad: number, order: string, stretch = 3000): ReadonlySet<number> {
  const all = Array.from({ length: size }, (_, index) => index);
  if (order === 'first') return new Set(all.slice(0, bad));
  if (order === 'last') return new Set(all.slice(size - bad));
  if (order === 'stretches') return new Set(all.filter((index) => Math.floor(index / stretch) % 2 === 0).slice(0, bad));
  if (order === 'spread') return new Set(all.slice(0, bad).map((index) => Math.floor(((index + 0.5) * size) / bad)));
  let seed = size + bad;
  const random = (): number => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const drawn = all.map((record) => [random(), record] as const).sort(([a], [b]) => a - b);
  return new Set(drawn.slice(0, bad).map(([, record]) => record));
}

/** A task whose calls take 20 ms, and fail for poison as status 500 does. */
export const asking =
  (poison: ReadonlySet<number>, hasBreaker: boolean, status = 500) =>
  (clock: VirtualClock): Task<number, unknown> => {
    const answer = (record: number): Promise<number> =>
      new Promise((resolve, reject) => {
        clock.schedule(20, () => {
          if (poison.has(record)) reject(failed());
          else resolve(record);
        });
      });
    const failed = (): Error =>
      new UpstreamError('MILLRACE_HTTP_STATUS', `status ${status}`, { blame: 'upstream', status, retryable: true });
    const policies = callPolicies(retryPolicy(), circuitBreaker());
    return asyncTask(answer, { policies: hasBreaker ? policies : policies.with({ breaker: false }) });
  };

export type LimitKind = 'bucket' | 'small bucket' | 'fixed window' | 'sliding window';

/** The window of a limit, and the number of calls that it accepts. */
function windowOf(perSecond: number): { windowMs: number; most: number } {
  const windowMs = Math.max(1000, 1000 / perSecond);
  return { windowMs, most: Math.max(1, Math.round((perSecond * windowMs) / 1000)) };
}

/** The calls per second that such an upstream accepts. A window accepts whole calls. */
export function acceptedRate(kind: LimitKind, perSecond: number): number {
  const { windowMs, most } = windowOf(perSecond);
  return kind.endsWith('bucket') ? perSecond : (most * 1000) / windowMs;
}

/** An upstream that accepts so many calls per second. */
export function limited(kind: LimitKind, perSecond: number, retryAfter: string | undefined): Answer {
  const { windowMs, most } = windowOf(perSecond);
  const burst = kind === 'small bucket' ? 1 : Math.max(1, perSecond);
  let [tokens, atMs, window, used] = [burst, 0, -1, 0];
  const log: number[] = [];
  const accepts = (nowMs: number): boolean => {
    if (kind.endsWith('bucket')) {
      tokens = Math.min(burst, tokens + ((nowMs - atMs) * perSecond) / 1000);
      atMs = nowMs;
      return tokens >= 1 - 1e-9 && tokens-- > 0;
    }
    if (kind === 'fixed window') {
      const current = Math.floor(nowMs / windowMs);
      if (current !== window) [window, used] = [current, 0];
      return used++ < most;
    }
    while (log.length > 0 && (log[0] as number) <= nowMs - windowMs) log.shift();
    return log.length < most && log.push(nowMs) > 0;
  };
  const headers: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
  return (record, _, nowMs) => (accepts(nowMs) ? { body: record, afterMs: 5 } : { status: 429, headers, afterMs: 2 });
}
