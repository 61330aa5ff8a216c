/**
 * An upstream inside the test, on the clock of the run. It answers the requests of a run in place of the network.
 *
 * Guarantees: nothing waits in real time; one function receives each call and decides the answer and its delay.
 */
import { sleep, type Clock } from '../model/clock.js';
import { FatalTaskError, describeThrown } from '../model/errors.js';
import {
  checkFunction,
  checkOptions,
  number,
  oneOf,
  words,
  type OptionRule,
  type OptionRules,
} from '../options/options.js';
import type { Awaitable } from '../model/ports.js';
import type { Upstream, UpstreamCall, UpstreamReply } from '../model/upstream.js';
import { connectionReset, silence } from './network.js';

/** One call, as the test receives it. */
export interface FakeCall extends UpstreamCall {
  /** The path and the query of the URL. */
  readonly path: string;
  /** The position of the call among all calls, from 1. */
  readonly number: number;
  /** The time at which the call arrived, in milliseconds of the clock's `monotonicMs`. */
  readonly atMs: number;
}

/** The answer to a call. `{}` answers at once with status 200 and no body. */
export interface FakeReply extends Partial<UpstreamReply> {
  /** The delay of the answer, in milliseconds of the clock. Default 0. */
  readonly afterMs?: number;
  /**
   * Replaces the answer. `never`: the call stays unanswered; `reset`: the connection breaks. Default: the answer is
   * sent.
   */
  readonly instead?: 'never' | 'reset';
}

/** An upstream whose answers come from a test. It records the calls. */
export interface FakeUpstream extends Upstream {
  /** Every call so far, in the order of arrival. */
  readonly calls: readonly FakeCall[];
  /** The number of calls that wait for their answer. */
  readonly inFlight: number;
  /** The largest number of calls that waited at the same time. */
  readonly peak: number;
}

/**
 * Answers the requests of a run from one function, in the time of `clock` and without a network.
 *
 * @param answer called once per attempt. If it throws or returns an invalid reply, the run fails with
 * MILLRACE_INVALID_OPTION, because the test is wrong. Throws MILLRACE_INVALID_OPTION if it is not a function.
 *
 * @example
 * const upstream = fakeUpstream(clock, ({ body, attempt }) =>
 *   attempt === 1 ? { status: 503 } : { body, afterMs: 20 });
 * const run = MyFlow.run(config, { clock, upstream });
 */
export function fakeUpstream(clock: Clock, answer: (call: FakeCall) => Awaitable<FakeReply>): FakeUpstream {
  checkFunction('the answer of a fakeUpstream', answer);
  const calls: FakeCall[] = [];
  let inFlight = 0;
  let peak = 0;
  const reply = async (call: FakeCall): Promise<UpstreamReply> => {
    let given: FakeReply;
    try {
      given = await answer(call);
      checkOptions('a reply', given, REPLY_RULES);
    } catch (error) {
      throw new FatalTaskError(
        'MILLRACE_INVALID_OPTION',
        `The fake upstream has no answer to call ${call.number} (${call.method} ${call.path}): ${describeThrown(error)}`,
        { cause: error },
      );
    }
    const { afterMs = 0, instead, status = 200, ...rest } = given;
    if (afterMs > 0) await sleep(clock, afterMs, call.signal);
    if (instead === 'never') await silence(call.signal);
    if (instead === 'reset') throw connectionReset();
    return { status, ...rest };
  };
  return {
    calls,
    get inFlight() {
      return inFlight;
    },
    get peak() {
      return peak;
    },
    answer: async (given) => {
      const { pathname, search } = new URL(given.url);
      const call = { ...given, path: pathname + search, number: calls.length + 1, atMs: clock.monotonicMs() };
      calls.push(call);
      peak = Math.max(peak, ++inFlight);
      try {
        return await reply(call);
      } finally {
        inFlight--;
      }
    },
  };
}

const textByName: OptionRule = {
  expected: 'an object of strings',
  accepts: (value) =>
    typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string'),
};

const plainData: OptionRule = {
  expected: 'what JSON can write',
  accepts: (value) => {
    try {
      return (JSON.stringify(value) as string | undefined) !== undefined;
    } catch {
      return false;
    }
  },
};

const REPLY_RULES: OptionRules<FakeReply> = {
  status: number(100, 999),
  headers: textByName,
  body: plainData,
  text: words,
  afterMs: number(0),
  instead: oneOf('never', 'reset'),
};
