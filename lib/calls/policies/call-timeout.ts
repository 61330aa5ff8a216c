/** The time limits of one attempt and of all attempts of one record together. */
import { number, resolveOptions, type OptionRules } from '../../options/options.js';
import { describeMs } from '../../text/quantities.js';

/** Options of `callTimeout`, in milliseconds. */
export interface TimeoutOptions {
  /** The limit per attempt, from its start to the last byte of the answer. Default 30,000. */
  readonly attemptMs?: number;
  /**
   * The limit per record, from its first attempt on. It includes delays between attempts, but not the time in which the
   * circuit breaker pauses the task. Default: none.
   */
  readonly recordMs?: number;
}

const RULES: OptionRules<TimeoutOptions> = { attemptMs: number(1), recordMs: number(1, Infinity) };
const TABLE = { name: 'a call timeout', rules: RULES, defaults: { attemptMs: 30_000, recordMs: Infinity } };

/** The time limits per attempt and per record. */
export class CallTimeout {
  /** Of several timeouts in a set, the last one applies. */
  readonly kind = 'timeout';
  /** The resolved options; a `recordMs` of Infinity means no limit. */
  readonly options: Readonly<Required<TimeoutOptions>>;

  constructor(options: TimeoutOptions = {}) {
    this.options = resolveOptions(TABLE, options);
  }

  /** Both limits, as the summary of a run shows them. */
  toString(): string {
    const { attemptMs, recordMs } = this.options;
    const perRecord = Number.isFinite(recordMs) ? `, ${describeMs(recordMs)} per record` : '';
    return `timeout ${describeMs(attemptMs)} per attempt${perRecord}`;
  }
}

/**
 * Limits the time per attempt and per record. An attempt that takes longer fails with MILLRACE_TIMEOUT and may be
 * retried. Throws MILLRACE_INVALID_OPTION if an option is unknown or out of range.
 *
 * @example callTimeout({ attemptMs: 2000, recordMs: 60_000 })
 */
export function callTimeout(options?: TimeoutOptions): CallTimeout {
  return new CallTimeout(options);
}
