/**
 * How many records may start a second: a token bucket. Promise: in any t seconds at most burst + perSecond · t records
 * start, whether they go out one by one or in batches; it holds no timer, so a test steps through it.
 */
import { checkOptions, number, type OptionRules } from '../../options/options.js';

/** The size and the filling of the token bucket of `rateLimit`. */
export interface RateLimitOptions {
  /** Records a second, on the average. May be below 1. */
  readonly perSecond: number;
  /** The most that can be saved up, at least 1. Default: `perSecond`, at least 1. */
  readonly burst?: number;
}

const RULES: OptionRules<RateLimitOptions> = { perSecond: number(Number.MIN_VALUE), burst: number(1) };

/** A token bucket: in any t seconds at most burst + perSecond · t records start. */
export class RateLimit {
  /** The last rate limit named in a set holds. */
  readonly kind = 'rate limit';
  /** Records a second, on the average. */
  readonly perSecond: number;
  /** The most records that may start at once after a pause. */
  readonly burst: number;

  constructor(options: RateLimitOptions) {
    checkOptions('a rate limit', options, RULES, ['perSecond']);
    const { perSecond, burst = Math.max(1, perSecond) } = options;
    this.perSecond = perSecond;
    this.burst = burst;
  }

  /** A full bucket of this limit. */
  start(nowMs: number): TokenBucket {
    return new TokenBucket(this, nowMs);
  }

  /** Both numbers, as the summary of a run shows them. */
  toString(): string {
    return `at most ${this.perSecond} records/s, burst ${this.burst}`;
  }
}

/**
 * Bounds how many records start a second; each task that is given it has a bucket of its own
 * (`sharedLimiter` has one for all). Throws MILLRACE_INVALID_OPTION where an option is unknown or
 * out of range.
 *
 * @example rateLimit({ perSecond: 100, burst: 20 })
 */
export function rateLimit(options: RateLimitOptions): RateLimit {
  return new RateLimit(options);
}

/** Sums of fractions of a token must not leave a record waiting for the last 1e-12 of one. */
const EPSILON = 1e-9;

export class TokenBucket {
  private readonly limit: RateLimit;
  private tokens: number;
  private atMs: number;

  constructor(limit: RateLimit, nowMs: number) {
    this.limit = limit;
    this.tokens = limit.burst;
    this.atMs = nowMs;
  }

  /**
   * 0 if `count` records may start, else the milliseconds until they may. A refusal costs nothing. More than the burst
   * at once is let go when the bucket is full, and owed.
   */
  take(count: number, nowMs: number): number {
    const { perSecond, burst } = this.limit;
    this.tokens = Math.min(burst, this.tokens + ((nowMs - this.atMs) * perSecond) / 1000);
    this.atMs = nowMs;
    const wanted = Math.min(count, burst);
    if (this.tokens >= wanted - EPSILON) {
      this.tokens -= count;
      return 0;
    }
    return ((wanted - this.tokens) * 1000) / perSecond;
  }
}
