/**
 * The options of a circuit breaker (M. Nygard, "Release It!"). The breaker itself is in `circuit.ts`.
 *
 * Guarantees: a policy has no state, so several tasks may share one.
 */
import { checkNumber, count, number, resolveOptions, type OptionRules } from '../../options/options.js';
import { describeMs } from '../../text/quantities.js';

/** Options of `circuitBreaker`: when it opens, how it probes, and when the run fails. */
export interface CircuitBreakerOptions {
  /** The number of different records that fail in a row, with no success between them, before it opens. Default 10. */
  readonly failures?: number;
  /** The share of unanswered calls among the last `sample` outcomes that also opens it, from 0 to 1. Default 0.8. */
  readonly share?: number;
  /** The number of last outcomes over which `share` is computed. Default 50. */
  readonly sample?: number;
  /** Milliseconds until the first probe. Each failed round of probes doubles the pause. Default 1,000. */
  readonly pauseMs?: number;
  /** The longest pause between two probes, in milliseconds, at least `pauseMs`. Default 30,000. */
  readonly maxPauseMs?: number;
  /** Calls admitted at a time while it is half-open and the upstream does not answer. Default 1. */
  readonly probes?: number;
  /** Milliseconds of outage after which the run fails with MILLRACE_UPSTREAM_DOWN. Default 300,000; Infinity: never. */
  readonly deadlineMs?: number;
}

const RULES: OptionRules<CircuitBreakerOptions> = {
  failures: count(),
  share: number(0, 1),
  sample: count(),
  pauseMs: number(1),
  maxPauseMs: number(1),
  probes: count(),
  deadlineMs: number(1, Infinity),
};
const DEFAULTS = {
  failures: 10,
  share: 0.8,
  sample: 50,
  pauseMs: 1000,
  maxPauseMs: 30_000,
  probes: 1,
  deadlineMs: 300_000,
};
const TABLE = { name: 'a circuit breaker', rules: RULES, defaults: DEFAULTS };

/**
 * Pauses a task while its upstream is down. The policy has no state: each task has a circuit of its own.
 */
export class CircuitBreaker {
  /** Of several breakers in a set, the last one applies. */
  readonly kind = 'circuit breaker';
  /** The resolved options. */
  readonly options: Readonly<Required<CircuitBreakerOptions>>;

  constructor(options: CircuitBreakerOptions = {}) {
    this.options = resolveOptions(TABLE, options);
    checkNumber('maxPauseMs', this.options.maxPauseMs, this.options.pauseMs);
  }

  /** When it opens and how it probes, as the summary of a run shows it. */
  toString(): string {
    const { failures, share, sample, pauseMs, maxPauseMs, probes, deadlineMs } = this.options;
    return (
      `circuit opens after ${failures} failures in a row or ${Math.round(share * 100)} % of ${sample}, ` +
      `${probes} ${probes === 1 ? 'probe' : 'probes'} after ${describeMs(pauseMs)} up to ${describeMs(maxPauseMs)}, down at most ${describeMs(deadlineMs)}`
    );
  }
}

/**
 * Pauses a task while its upstream is down, and fails the run with MILLRACE_UPSTREAM_DOWN after `deadlineMs`. Throws
 * MILLRACE_INVALID_OPTION if an option is unknown or out of range.
 *
 * @example circuitBreaker({ failures: 20, deadlineMs: 600_000 })
 */
export function circuitBreaker(options?: CircuitBreakerOptions): CircuitBreaker {
  return new CircuitBreaker(options);
}
