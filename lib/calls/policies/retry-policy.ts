/**
 * Whether a failed attempt is repeated, and when: exponential backoff with full jitter (M. Brooker, "Exponential Backoff
 * And Jitter"), never sooner than the upstream asked for, unless that is longer than the whole budget.
 *
 * Promises: never more than `attempts` attempts; no attempt starts later than `budgetMs` after the first one; the same
 * randomness gives the same delays.
 */
import {
  callback,
  checkOptions,
  count,
  number,
  oneOf,
  type OptionRule,
  type OptionRules,
} from '../../options/options.js';
import { describeMs } from '../../text/describe-ms.js';
import { UpstreamError } from '../../model/upstream-error.js';

/** Options of `retryPolicy`: how often, how late, and what is repeated. */
export interface RetryOptions {
  /** The most attempts a record, the first included. Default 5. */
  readonly attempts?: number;
  /** The longest delay before the second attempt; each further one may be `factor` times as long. Default 200. */
  readonly baseMs?: number;
  /** How many times as long each further delay may be, at least 1. Default 2. */
  readonly factor?: number;
  /** No backoff is longer. Default 20,000. */
  readonly maxDelayMs?: number;
  /**
   * From the first attempt of a record on, the milliseconds after which no other starts; time in which the whole task
   * was paused does not count. Default 120,000.
   */
  readonly budgetMs?: number;
  /** `full` draws each delay between 0 and its bound, so that many records do not come back at once. Default 'full'. */
  readonly jitter?: 'full' | 'none';
  /** Which statuses are repeated. Default: what the error itself says (408, 425, 429 and those from 500 that may pass). */
  readonly statuses?: readonly number[];
  /** Decides for errors without a status, instead of their own `retryable`. */
  readonly retryOn?: (error: unknown) => boolean;
}

/** One failed attempt. */
export interface FailedAttempt {
  /** Attempts made, at least 1. */
  readonly attempts: number;
  /** Since the first attempt, in milliseconds. */
  readonly elapsedMs: number;
  readonly error: unknown;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

const listOfStatuses: OptionRule = {
  expected: 'a list of statuses',
  accepts: (value) => Array.isArray(value) && value.every(Number.isInteger),
};

const RULES: OptionRules<RetryOptions> = {
  attempts: count(),
  baseMs: number(0),
  factor: number(1),
  maxDelayMs: number(0),
  budgetMs: number(0, Infinity),
  jitter: oneOf('full', 'none'),
  statuses: listOfStatuses,
  retryOn: callback,
};

/**
 * Exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter"), never sooner
 * than Retry-After asks for, unless that is longer than `budgetMs`.
 */
export class RetryPolicy {
  /** The last retry policy named in a set holds. */
  readonly kind = 'retry';
  /** The most attempts a record, the first included. */
  readonly attempts: number;
  /** Milliseconds from the first attempt of a record after which no other starts. */
  readonly budgetMs: number;
  private readonly options: RetryOptions;
  private readonly mayPass: (error: unknown) => boolean;

  /** @param mayPass decides where neither `statuses` nor `retryOn` does. Default: what the error itself says. */
  constructor(options: RetryOptions = {}, mayPass: (error: unknown) => boolean = saysRetryable) {
    checkOptions('a retry policy', options, RULES);
    const { attempts = 5, budgetMs = 120_000 } = options;
    this.attempts = attempts;
    this.budgetMs = budgetMs;
    this.options = options;
    this.mayPass = mayPass;
  }

  /** Whether another attempt may succeed at all. */
  isRetryable(error: unknown): boolean {
    const { statuses, retryOn } = this.options;
    if (statuses !== undefined && error instanceof UpstreamError && error.status !== undefined) {
      return statuses.includes(error.status);
    }
    return retryOn === undefined ? this.mayPass(error) : retryOn(error);
  }

  /** Milliseconds until the next attempt; undefined where there is to be none. */
  delayAfter(failed: FailedAttempt): number | undefined {
    if (failed.attempts >= this.attempts || !this.isRetryable(failed.error)) return undefined;
    const delayMs = this.backoffMs(failed.attempts, failed.random) + (retryAfterOf(failed.error) ?? 0);
    return failed.elapsedMs + delayMs > this.budgetMs ? undefined : delayMs;
  }

  /** The backoff alone, after so many tries in a row. */
  backoffMs(tries: number, random: () => number): number {
    const { baseMs = 200, factor = 2, maxDelayMs = 20_000, jitter = 'full' } = this.options;
    const bound = Math.min(maxDelayMs, baseMs * factor ** (tries - 1));
    return jitter === 'full' ? random() * bound : bound;
  }

  /** Attempts, delays and budget, as the summary of a run shows them. */
  toString(): string {
    if (this.attempts === 1) return 'no retry';
    const { baseMs = 200, factor = 2, maxDelayMs = 20_000, jitter = 'full', statuses, retryOn } = this.options;
    const on = statuses === undefined ? '' : `, on ${statuses.join(', ')}`;
    const by = retryOn === undefined ? '' : `, as ${retryOn.name === '' ? 'a function' : retryOn.name} says`;
    return (
      `retry up to ${this.attempts} attempts, ${describeMs(baseMs)} × ${factor}ⁿ up to ${describeMs(maxDelayMs)}, ` +
      `${jitter === 'full' ? 'full' : 'no'} jitter, within ${describeMs(this.budgetMs)}${on}${by}`
    );
  }
}

/**
 * Says whether a failed attempt is repeated, and when. Throws MILLRACE_INVALID_OPTION where an
 * option is unknown or out of range.
 *
 * @example retryPolicy({ attempts: 8, budgetMs: 300_000 })
 */
export function retryPolicy(options?: RetryOptions): RetryPolicy {
  return new RetryPolicy(options);
}

function saysRetryable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === true;
}

/** How long the upstream asked to wait. */
export function retryAfterOf(error: unknown): number | undefined {
  return error instanceof UpstreamError ? error.retryAfterMs : undefined;
}
