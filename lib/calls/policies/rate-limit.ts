/**
 * A limit of records per second: a token bucket.
 *
 * Guarantees: in any t seconds at most burst + perSecond · t records start, alone or in groups. It has no timer: the
 * caller passes the time, so a test can step through it.
 */
import { number, resolveOptions, type OptionRules } from '../../options/options.js';

/** The fill rate and the size of the token bucket of `rateLimit`. */
export interface RateLimitOptions {
  /** Records per second, on average. May be below 1. */
  readonly perSecond: number;
  /**
   * The most records that may start at once after a pause, at least 1. Default: a fiftieth of `perSecond`, at least 1.
   * A larger burst exceeds a limit that the upstream counts per second.
   */
  readonly burst?: number;
}

const RULES: OptionRules<RateLimitOptions> = { perSecond: number(Number.MIN_VALUE), burst: number(1) };
const TABLE = { name: 'a rate limit', rules: RULES, defaults: {}, required: ['perSecond'] as const };

/** A token bucket: in any t seconds at most burst + perSecond · t records start. Each task has a bucket of its own. */
export class RateLimit {
  /** Of several rate limits in a set, the last one applies. */
  readonly kind = 'rate limit';
  /** The resolved options. */
  readonly options: Readonly<Required<RateLimitOptions>>;

  constructor(options: RateLimitOptions) {
    const { perSecond, burst = Math.max(1, perSecond / 50) } = resolveOptions(TABLE, options);
    this.options = { perSecond, burst };
  }

  /** A full bucket with this limit. */
  start(nowMs: number): TokenBucket {
    return new TokenBucket(this, nowMs);
  }

  /** Both numbers, as the summary of a run shows them. */
  toString(): string {
    return `at most ${this.options.perSecond} records/s, burst ${this.options.burst}`;
  }
}

/**
 * Limits how many records per second a task starts. Each task with this policy has a bucket of its own; `sharedLimiter`
 * has one for several tasks. Throws MILLRACE_INVALID_OPTION if an option is unknown or out of range.
 *
 * @example rateLimit({ perSecond: 100, burst: 20 })
 */
export function rateLimit(options: RateLimitOptions): RateLimit {
  return new RateLimit(options);
}

/** Rounding errors in sums of fractions must not keep a record waiting for the last 1e-12 of a token. */
const EPSILON = 1e-9;

/** The tokens of one task. */
export class TokenBucket {
  private readonly options: Readonly<Required<RateLimitOptions>>;
  private tokens: number;
  private atMs: number;

  constructor({ options }: RateLimit, nowMs: number) {
    this.options = options;
    this.tokens = options.burst;
    this.atMs = nowMs;
  }

  /**
   * 0 if `count` records may start now, otherwise the milliseconds until they may. A refusal costs no tokens. A group
   * larger than the burst starts when the bucket is full, and leaves it in debt.
   */
  acquire(count: number, nowMs: number): number {
    const { perSecond, burst } = this.options;
    this.tokens = Math.min(burst, this.tokens + ((nowMs - this.atMs) * perSecond) / 1000);
    this.atMs = nowMs;
    const wanted = Math.min(count, burst);
    if (this.tokens >= wanted - EPSILON) {
      this.tokens -= count;
      return 0;
    }
    return ((wanted - this.tokens) * 1000) / perSecond;
  }

  /** Returns the tokens of records that `acquire` has admitted and that do not start after all. */
  giveBack(count: number): void {
    this.tokens = Math.min(this.options.burst, this.tokens + count);
  }
}
