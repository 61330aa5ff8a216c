/**
 * Injects faults, chosen by a seed, between a run and its upstream or function.
 *
 * Guarantees: the fault of an attempt depends only on the seed, the task, the record and the number of the attempt. It
 * does not depend on the order of calls, on time or on other runs, so a seed reproduces a failure. The injector stores
 * no state for this, so one injector may serve any number of runs.
 */
import { sleep, type Clock } from '../model/clock.js';
import { MillraceError } from '../model/errors.js';
import { checkOptions, count, either, number, objectWith, type OptionRules } from '../options/options.js';
import { murmur2 } from '../execution/partition-key.js';
import type { Awaitable, RecordContext } from '../model/ports.js';
import type { Skip } from '../model/record.js';
import type { Upstream, UpstreamCall } from '../model/upstream.js';
import { connectionReset, silence } from './network.js';

/** The kinds of faults. */
export type Fault = 'error' | 'reset' | 'hang' | 'lostReply' | 'slow';

const FAULTS: readonly Fault[] = ['error', 'reset', 'hang', 'lostReply', 'slow'];

/** Per fault, its share of all attempts, 0 to 1. The sum of the shares is at most 1. Default: 0 per fault. */
export interface FaultOptions extends Partial<Record<Fault, number>> {
  /** With the same seed, the same records and attempts have the same faults. */
  readonly seed: number;
  /** The clock of the run. `slow` waits on it. */
  readonly clock: Clock;
  /** The delay that `slow` adds before the work begins, in milliseconds. Default 1000. */
  readonly slowMs?: number;
  /**
   * Only the first `atMost` attempts of a record at a task can have a fault, so a task that makes more attempts
   * succeeds. Default: no limit.
   */
  readonly atMost?: number;
}

const share = number(0, 1);
const RULES: OptionRules<FaultOptions> = {
  seed: { expected: 'a whole number', accepts: Number.isSafeInteger },
  clock: objectWith('now', 'monotonicMs', 'schedule', 'defer'),
  error: share,
  reset: share,
  hang: share,
  lostReply: share,
  slow: share,
  slowMs: number(0),
  atMost: either(count(0), { expected: 'Infinity', accepts: (value) => value === Infinity }),
};

/** Makes attempts fail. Put it before an upstream or around a function. */
export interface FaultInjector {
  /**
   * Returns the upstream with faults: `error` answers 503, `reset` breaks the connection, `hang` never answers,
   * `lostReply` breaks the connection after the work is done, `slow` answers late. A hedged attempt has no faults, so
   * it can save its record. A fault of a request for several records affects all of them.
   */
  upstream(inner: Upstream): Upstream;
  /**
   * Returns the function of an `asyncTask` with faults: `error` and `reset` throw, `lostReply` throws after the work.
   * `context.attempt` is the number of the attempt.
   */
  around<In, Out>(
    work: (record: In, context: RecordContext) => Awaitable<Out | Skip>,
  ): (record: In, context: RecordContext) => Promise<Out | Skip>;
  /** Per fault, the number of times it was injected. */
  readonly injected: Readonly<Record<Fault, number>>;
}

/**
 * Makes an injector. It draws a fault, or none, per attempt from the seed, the task, the record and the number of the
 * attempt alone, so a seed reproduces a failure.
 *
 * @throws MILLRACE_INVALID_OPTION for missing, unknown or invalid options. A share is a number from 0 to 1, and the sum
 *   of the shares is at most 1.
 *
 * @example
 * const faults = faultInjector({ seed: 7, clock, error: 0.1, lostReply: 0.05, atMost: 3 });
 * const run = MyFlow.run(config, { clock, upstream: faults.upstream(upstream) });
 */
export function faultInjector(options: FaultOptions): FaultInjector {
  const shares = sharesOf(options);
  const { seed, clock, slowMs = 1000, atMost = Infinity } = options;
  const injected: Record<Fault, number> = { error: 0, reset: 0, hang: 0, lostReply: 0, slow: 0 };

  const draw = (name: string, attempt: number): Fault | undefined => {
    const fault = attempt <= atMost ? pick(shares, fractionOf(`${seed}:${name}:${attempt}`)) : undefined;
    if (fault !== undefined) injected[fault]++;
    return fault;
  };
  const before = async (fault: Fault | undefined, signal: AbortSignal): Promise<void> => {
    if (fault === 'hang') await silence(signal);
    if (fault === 'slow') await sleep(clock, slowMs, signal);
    if (fault === 'hang' || fault === 'reset') throw connectionReset();
  };

  return {
    injected,
    upstream: (inner) => ({
      answer: async (call) => {
        const fault = call.isHedge ? undefined : draw(nameOf(call), call.attempt);
        if (fault === 'error') return { status: 503, body: { error: 'injected' } };
        await before(fault, call.signal);
        const reply = await inner.answer(call);
        if (fault === 'lostReply') throw connectionReset();
        return reply;
      },
    }),
    around: (work) => async (record, context) => {
      const fault = draw(`${context.task}:${context.lineage}`, context.attempt);
      if (fault === 'error') throw new Error('an injected error');
      await before(fault, context.signal);
      const output = await work(record, context);
      if (fault === 'lostReply') throw connectionReset();
      return output;
    },
  };
}

/**
 * The name of the record. The part of an idempotency key after its hyphen names the record independently of the run. A
 * call without a key is named by its method, URL and body.
 */
function nameOf({ task, key, method, url, body }: UpstreamCall): string {
  return `${task}:${key?.slice(key.indexOf('-') + 1) ?? `${method} ${url} ${JSON.stringify(body)}`}`;
}

/** Maps a text to a number in [0, 1). The same text always has the same number. */
function fractionOf(text: string): number {
  return (murmur2(new TextEncoder().encode(text)) >>> 0) / 2 ** 32;
}

/** The fault whose part of [0, 1) contains the number. */
function pick(shares: readonly (readonly [Fault, number])[], at: number): Fault | undefined {
  let until = 0;
  for (const [fault, share] of shares) {
    until += share;
    if (at < until) return fault;
  }
  return undefined;
}

function sharesOf(options: FaultOptions): readonly (readonly [Fault, number])[] {
  checkOptions('a faultInjector', options, RULES, ['seed', 'clock']);
  const shares = FAULTS.map((fault) => [fault, options[fault] ?? 0] as const);
  const sum = shares.reduce((total, [, share]) => total + share, 0);
  // The sum of shares such as 0.1 has a rounding error.
  if (sum <= 1 + 1e-9) return shares;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected the shares of a faultInjector to be at most 1 together, got ${sum}`,
  );
}
