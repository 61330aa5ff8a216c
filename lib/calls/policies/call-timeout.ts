/** How long one attempt, and all attempts of one record together, may take. */
import { checkOptions, number, type OptionRules } from '../../options/options.js';
import { describeMs } from '../../text/describe-ms.js';

/** Options of `callTimeout`, in milliseconds. */
export interface TimeoutOptions {
  /** The most milliseconds of one attempt, from its start to the last byte of the answer. Default 30,000. */
  readonly attemptMs?: number;
  /** The most milliseconds of a record, from its first attempt on, waits included, pauses of the task not. Default: none. */
  readonly recordMs?: number;
}

const RULES: OptionRules<TimeoutOptions> = { attemptMs: number(1), recordMs: number(1, Infinity) };

/** How long an attempt, and all attempts of a record, may take. */
export class CallTimeout {
  /** The last timeout named in a set holds. */
  readonly kind = 'timeout';
  /** The most milliseconds of one attempt. */
  readonly attemptMs: number;
  /** The most milliseconds of all attempts of a record; Infinity: no limit. */
  readonly recordMs: number;

  constructor(options: TimeoutOptions = {}) {
    checkOptions('a call timeout', options, RULES);
    const { attemptMs = 30_000, recordMs = Infinity } = options;
    this.attemptMs = attemptMs;
    this.recordMs = recordMs;
  }

  /** Both limits, as the summary of a run shows them. */
  toString(): string {
    const record = Number.isFinite(this.recordMs) ? `, ${describeMs(this.recordMs)} a record` : '';
    return `timeout ${describeMs(this.attemptMs)} an attempt${record}`;
  }
}

/**
 * Bounds an attempt, which fails with MILLRACE_TIMEOUT and may be repeated, and all attempts of a
 * record together. Throws MILLRACE_INVALID_OPTION where an option is unknown or out of range.
 *
 * @example callTimeout({ attemptMs: 2000, recordMs: 60_000 })
 */
export function callTimeout(options?: TimeoutOptions): CallTimeout {
  return new CallTimeout(options);
}
