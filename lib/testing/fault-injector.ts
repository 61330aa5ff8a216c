/**
 * Faults by a seed, between a run and whatever answers it.
 *
 * Promise: what happens to an attempt depends on the seed, the task, the record and the number of the attempt alone, not
 * on the order of calls, on time or on other runs, so a failure that was found is found again by its seed. Nothing is
 * remembered for it: an injector may serve any number of runs.
 */
import type { Clock } from '../model/clock.js';
import { MillraceError } from '../model/errors.js';
import { checkOptions, count, either, number, objectWith, type OptionRules } from '../options/options.js';
import { murmur2 } from '../execution/partition-hash.js';
import type { Awaitable, RecordContext } from '../model/ports.js';
import type { Skip } from '../model/record.js';
import type { Upstream, UpstreamCall } from '../model/upstream.js';
import { connectionReset, pause, silence } from './network.js';

/** What can happen to an attempt in place of its work. */
export type Fault = 'error' | 'reset' | 'hang' | 'lostReply' | 'slow';

const FAULTS: readonly Fault[] = ['error', 'reset', 'hang', 'lostReply', 'slow'];

/** Shares of all attempts, each 0 to 1, together at most 1. Default of each: 0. */
export interface FaultOptions extends Partial<Record<Fault, number>> {
  /** The same seed gives the same faults to the same records and attempts. */
  readonly seed: number;
  /** The clock of the run, by which `slow` waits. */
  readonly clock: Clock;
  /** Of `slow`: how much later the work begins, in milliseconds. Default 1000. */
  readonly slowMs?: number;
  /**
   * The most faults one record meets at one task: they fall on its first so many attempts, and more attempts than this
   * bring it through. Default: no limit.
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

/** What makes attempts fail: put it before an upstream or around a function. */
export interface FaultInjector {
  /**
   * The upstream with faults before it: `error` answers 503, `reset` breaks the connection, `hang` never answers,
   * `lostReply` breaks it after the work was done, `slow` answers late. A hedge meets none, so it can save its record. What
   * a request for several records meets, all of them meet.
   */
  upstream(inner: Upstream): Upstream;
  /**
   * The function of an `asyncTask` with faults before it: `error` and `reset` throw, `lostReply` throws after the work.
   * `context.attempt` says which attempt it is.
   */
  around<In, Out>(
    work: (record: In, context: RecordContext) => Awaitable<Out | Skip>,
  ): (record: In, context: RecordContext) => Promise<Out | Skip>;
  /** How often each fault was injected. */
  readonly injected: Readonly<Record<Fault, number>>;
}

/**
 * Draws a fault, or none, for each attempt from the seed, the task, the record and the number of
 * the attempt alone, so a failure that was found is found again.
 *
 * @throws MILLRACE_INVALID_OPTION for options that are missing, do not exist or do not fit: a share is a number from 0 to
 * 1, and all of them are at most 1 together.
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
    const fault = attempt <= atMost ? pick(shares, drawn(`${seed}:${name}:${attempt}`)) : undefined;
    if (fault !== undefined) injected[fault]++;
    return fault;
  };
  const before = async (fault: Fault | undefined, signal: AbortSignal): Promise<void> => {
    if (fault === 'hang') await silence(signal);
    if (fault === 'slow') await pause(clock, slowMs, signal);
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
 * The part of a key after its hyphen names the record, whatever the id of the run is. Without a key, what is asked for is
 * the best name there is.
 */
function nameOf({ task, key, method, url, body }: UpstreamCall): string {
  return `${task}:${key?.slice(key.indexOf('-') + 1) ?? `${method} ${url} ${JSON.stringify(body)}`}`;
}

/** A number in [0, 1) that the text alone decides. */
function drawn(text: string): number {
  return (murmur2(new TextEncoder().encode(text)) >>> 0) / 2 ** 32;
}

/** The fault whose stretch of [0, 1) the number falls into. */
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
  // Shares such as 0.1 have no exact sum.
  if (sum <= 1 + 1e-9) return shares;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected the shares of a faultInjector to be at most 1 together, got ${sum}`,
  );
}
