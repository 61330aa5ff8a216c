/**
 * Whether and when a failed attempt is repeated: exponential backoff with full jitter (M. Brooker, "Exponential Backoff
 * And Jitter"). A retry is never earlier than the upstream's Retry-After.
 *
 * Guarantees: at most `attempts` attempts. No attempt starts later than `budgetMs` after the first one. The same random
 * numbers give the same delays.
 */
import {
  callback,
  count,
  number,
  oneOf,
  resolveOptions,
  type OptionRule,
  type OptionRules,
  type Resolved,
} from '../../options/options.js';
import { describeMs } from '../../text/quantities.js';
import { fieldOf } from '../../model/errors.js';
import { UpstreamError } from '../../model/upstream-error.js';

/** Options of `retryPolicy`: how many attempts, at which delays, after which errors. */
export interface RetryOptions {
  /** The most attempts per record, the first included. Default 5. */
  readonly attempts?: number;
  /** The longest delay before the second attempt, in milliseconds. Default 200. */
  readonly baseMs?: number;
  /** The factor by which the longest value of each further delay grows, at least 1. Default 2. */
  readonly factor?: number;
  /** The longest delay, in milliseconds. Default 20,000. */
  readonly maxDelayMs?: number;
  /**
   * Milliseconds after the first attempt of a record after which no other attempt starts. The time in which the circuit
   * breaker pauses the task does not count. Default 120,000.
   */
  readonly budgetMs?: number;
  /**
   * `full` draws each delay between 0 and its longest value, so that records do not retry all at once. Default 'full'.
   */
  readonly jitter?: 'full' | 'none';
  /**
   * The HTTP statuses that are retried. Default: the error decides (408, 425, 429 and those from 500 that may pass).
   */
  readonly statuses?: readonly number[];
  /** Decides for errors without a status, instead of their own `retryable`. */
  readonly retryOn?: (error: unknown) => boolean;
}

/** One failed attempt. */
export interface FailedAttempt {
  /** Attempts made, at least 1. */
  readonly attempts: number;
  /** Milliseconds since the first attempt. */
  readonly elapsedMs: number;
  /** The error of the attempt. */
  readonly error: unknown;
  /** Returns x with 0 ≤ x < 1. */
  readonly random: () => number;
}

const statusList: OptionRule = {
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
  statuses: statusList,
  retryOn: callback,
};
const DEFAULTS = {
  attempts: 5,
  baseMs: 200,
  factor: 2,
  maxDelayMs: 20_000,
  budgetMs: 120_000,
  jitter: 'full' as const,
};
const TABLE = { name: 'a retry policy', rules: RULES, defaults: DEFAULTS };

/** Exponential backoff with full jitter, never earlier than the upstream's Retry-After. */
export class RetryPolicy {
  /** Of several retry policies in a set, the last one applies. */
  readonly kind = 'retry';
  /** The resolved options. */
  readonly options: Resolved<RetryOptions, typeof DEFAULTS>;
  private readonly isTransient: (error: unknown) => boolean;

  /** @param isTransient decides if neither `statuses` nor `retryOn` does. Default: the error's own `retryable`. */
  constructor(options: RetryOptions = {}, isTransient: (error: unknown) => boolean = isMarkedRetryable) {
    this.options = resolveOptions(TABLE, options);
    this.isTransient = isTransient;
  }

  /** Whether another attempt may succeed at all. */
  isRetryable(error: unknown): boolean {
    const { statuses, retryOn } = this.options;
    if (statuses !== undefined && error instanceof UpstreamError && error.status !== undefined) {
      return statuses.includes(error.status);
    }
    if (retryOn === undefined) return this.isTransient(error);
    const verdict: unknown = retryOn(error);
    if (!(verdict instanceof Promise)) return Boolean(verdict);
    // The error below fails the record. An unhandled rejection of the promise would end the process.
    verdict.catch(() => undefined);
    throw new TypeError('Expected `retryOn` to return true or false, got a promise');
  }

  /** Milliseconds until the next attempt; undefined if there is none. */
  delayAfter(failed: FailedAttempt): number | undefined {
    const { attempts, budgetMs } = this.options;
    if (failed.attempts >= attempts || !this.isRetryable(failed.error)) return undefined;
    const delayMs = this.backoffMs(failed.attempts, failed.random) + (retryAfterOf(failed.error) ?? 0);
    return failed.elapsedMs + delayMs > budgetMs ? undefined : delayMs;
  }

  /** The backoff after this many consecutive failures, without Retry-After. */
  backoffMs(failures: number, random: () => number): number {
    const { baseMs, factor, maxDelayMs, jitter } = this.options;
    const bound = Math.min(maxDelayMs, baseMs * factor ** (failures - 1));
    return jitter === 'full' ? random() * bound : bound;
  }

  /** Attempts, delays and budget, as the summary of a run shows them. */
  toString(): string {
    const { attempts, baseMs, factor, maxDelayMs, budgetMs, jitter, statuses, retryOn } = this.options;
    if (attempts === 1) return 'no retry';
    const on = statuses === undefined ? '' : `, on ${statuses.join(', ')}`;
    const by = retryOn === undefined ? '' : `, decided by ${retryOn.name === '' ? 'a function' : retryOn.name}`;
    return (
      `retry up to ${attempts} attempts, ${describeMs(baseMs)} × ${factor}ⁿ up to ${describeMs(maxDelayMs)}, ` +
      `${jitter === 'full' ? 'full' : 'no'} jitter, within ${describeMs(budgetMs)}${on}${by}`
    );
  }
}

/**
 * Decides whether and when a failed attempt is repeated. Throws MILLRACE_INVALID_OPTION if an option is unknown or out
 * of range.
 *
 * @example retryPolicy({ attempts: 8, budgetMs: 300_000 })
 */
export function retryPolicy(options?: RetryOptions): RetryPolicy {
  return new RetryPolicy(options);
}

function isMarkedRetryable(error: unknown): boolean {
  return fieldOf(error, 'retryable') === true;
}

/** The Retry-After of an error, in milliseconds. */
export function retryAfterOf(error: unknown): number | undefined {
  return error instanceof UpstreamError ? error.retryAfterMs : undefined;
}
